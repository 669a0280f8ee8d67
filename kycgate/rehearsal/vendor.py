"""The stand-in vendor for the tests of an onboarding client: faithful, faulty or behind a bad line, as it is told."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from kycgate.chaos import BEHAVIOURS, ChaosTarget
from kycgate.chaos.registry import named
from kycgate.errors import UsageError
from kycgate.rehearsal.habits import HARD, HardVendor
from kycgate.rehearsal.received import Received
from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings, parse_latency, variants
from kycgate.sandbox.vendor import Incoming, Reply
from kycgate.text import nearest

_WELL: Final = "reset-in-answer"
"""Any behaviour of plain HTTP: with a share of 0 it never shows."""


class StandIn:
    """A vendor on a free loopback port, for as long as the `with` block lasts.

    Its address and its credentials stay the same, however it is switched:

        with kycgate.stand_in() as vendor:
            vendor.use("fault", "gender-null")      # break one clause
            vendor.use("variant", "order-404")      # take a liberty of the contract
            vendor.use("habit", "busy")             # be lawful, and hard on a client: 429, slow, a token that ends
            vendor.latency("base_ms=2000")          # read slowly
            vendor.line("reset-in-answer", after=2) # a bad connection, from the third request on
            vendor.like("kycgate-out/their-check")  # as the vendor of a recorded run answered
            vendor.received                         # the requests that came
            vendor.reset()                          # faithful again, no session, nothing received
    """

    tenant_id = TENANT
    tenant_secret = TENANT_SECRET

    def __init__(
        self, settings: SandboxSettings | None = None, faults: Sequence[str] = (), *, port: int = 0,
        keep: int | None = None,
    ) -> None:  # fmt: skip
        """It begins with `settings` (its credentials are ours) and `faults`, to which a reset returns.

        `keep` is how many received requests are held at most, the latest; None is all.

        Raises:
            UsageError: there is no such fault, or the port is taken.
        """
        given = settings or SandboxSettings()
        self._received: deque[Received] = deque(maxlen=keep)
        self._lock = threading.Lock()
        self._line = ""
        self._hard: HardVendor | None = None
        self._settings = self._first = given.model_copy(update={"tenants": {TENANT: TENANT_SECRET}, "api_keys": ()})
        self._faults = self._first_faults = tuple(faults)
        self._sandbox = RunningSandbox(self._settings, self._faults, observe=self._observe)
        self._front = ChaosTarget(named(_WELL), self._sandbox.base_url, share=0.0, port=port)

    def __enter__(self) -> Self:
        self._sandbox.__enter__()
        self._front.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._front.__exit__(kind, error, trace)
        self._sandbox.__exit__(kind, error, trace)

    @property
    def base_url(self) -> str:
        """Where it listens; the same for its whole life."""
        return self._front.base_url

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which kycgate's own commands would find it."""
        return {
            "KYCGATE_BASE_URL": self.base_url,
            "KYCGATE_TENANT_ID": self.tenant_id,
            "KYCGATE_TENANT_SECRET": self.tenant_secret,
        }

    @property
    def settings(self) -> SandboxSettings:
        """What it does where the contract leaves room."""
        return self._settings

    @property
    def faults(self) -> tuple[str, ...]:
        """The clauses that it breaks, by the names of the faults."""
        return self._faults

    @property
    def bad_line(self) -> str:
        """How connections are mistreated; empty for a good line."""
        return self._line

    @property
    def received(self) -> list[Received]:
        """The requests since the last reset, in the order of their answers."""
        with self._lock:
            return list(self._received)

    @property
    def mistreated(self) -> int:
        """Requests since the last switch that met the bad line, or the hard habit."""
        return self._hard.met if self._hard is not None else self._front.mistreated

    def _observe(self, request: Incoming, reply: Reply) -> None:
        with self._lock:
            self._received.append(Received.of(request, reply))

    def use(self, kind: Literal["fault", "variant", "habit"], name: str) -> None:
        """Break one clause, take one liberty, or have a hard habit, from the next request on.

        Sessions begin anew; faults add up, a habit comes without faults. The habits are the hard ones (`slow-reading`,
        `busy`, `token-ends`) and each liberty.

        Raises:
            UsageError: there is no fault, variant or habit of that name.
        """
        if kind == "fault":
            self._sandbox.serve_as(self._settings, (*self._faults, name))
            self._faults, self._hard = (*self._faults, name), None
            return
        if kind == "habit" and name in HARD:
            self._hard = HARD[name](self._settings)
            self._sandbox.serve_as(self._settings, vendor=self._hard)
            return
        if kind not in ("variant", "habit"):
            raise UsageError(f"a stand-in takes a fault, a variant or a habit, and no {kind!r}")
        known = variants()
        if name not in known:
            names = {*known, *HARD} if kind == "habit" else known
            what = "habit" if kind == "habit" else "faithful variant"
            hint = nearest(name, names) or f": there are {', '.join(names)}"
            raise UsageError(f"no {what} is named {name!r}{hint}")
        self._switch(known[name].model_copy(update={"tenants": self._settings.tenants}))

    def like(self, *runs: str | Path) -> None:
        """Answer as the vendor of these recorded runs did; its credentials stay ours.

        Raises:
            UsageError: a folder holds no run, or nothing was observed in it.
        """
        # Imported here: it takes what reads histograms.
        from kycgate.rehearsal.like import settings_like

        learnt = settings_like([Path(run) for run in runs])
        self._switch(learnt.model_copy(update={"tenants": self._settings.tenants, "api_keys": ()}))

    def latency(self, model: str) -> None:
        """Take time to read a picture: `base_ms=2000,sigma=0.4`, as `kycgate sandbox --latency` does.

        Raises:
            UsageError: the model has no such parameter.
        """
        self._switch(self._settings.model_copy(update={"latency": parse_latency(model)}))

    def line(self, name: str, *, after: int = 0, share: float = 1.0) -> None:
        """Mistreat connections (`kycgate chaos --list`): from request `after` + 1 on, each with the chance `share`.

        Raises:
            UsageError: there is no such behaviour, or it takes an address of its own (TLS, no such host).
        """
        self._front.behave(named(name), after=after, share=share)
        self._line = name

    def reset(self) -> None:
        """As it began, on a good line, without sessions; what was received is forgotten."""
        self._front.behave(named(_WELL), share=0.0)
        self._line = ""
        self._faults = self._first_faults
        self._switch(self._first)
        with self._lock:
            self._received.clear()

    def _switch(self, settings: SandboxSettings) -> None:
        self._sandbox.serve_as(settings, self._faults)
        self._settings, self._hard = settings, None


def lines() -> list[str]:
    """The behaviours that `StandIn.line` takes."""
    return [name for name, known in BEHAVIOURS.items() if not known.tls and name != "no-such-host"]


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A faithful stand-in vendor on a free loopback port; see `StandIn`."""
    with StandIn() as vendor:
        yield vendor
