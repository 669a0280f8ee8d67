"""`kycgate probe`: one small onboarding for a scheduler, its result appended to a store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kycgate.cli.groups import grouped
from kycgate.cli.options import CardOptions, StoreOption, StrictOption, TargetOptions, target_of
from kycgate.cli.output import Output

if TYPE_CHECKING:
    from pydantic import BaseModel

EMBEDDED = "the embedded sandbox"
"""The target's name in the store, as its port is another one each time."""


def register(app: typer.Typer) -> None:
    app.command()(probe)


@grouped
def probe(
    store: StoreOption, target: TargetOptions, cards: CardOptions, strict: StrictOption = False,
    name: Annotated[str, typer.Option("--from", help="Who probes, where several do.")] = "",
    time_limit: Annotated[float | None, typer.Option(min=90, max=3_600, help="Seconds until it ends for sure.")] = None,
    jitter: Annotated[
        float, typer.Option(min=0, max=3_600, help="First wait a random time of at most this many seconds.")
    ] = 0.0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Keep the exchanges, as a run's folder.")] = None,
    *, output: Output,
) -> None:  # fmt: skip
    """Take one person through the four steps, judge and time them, append the result to a store.

    Ends within --time-limit, and --jitter before it; without a limit, within five time-outs of the profile and 40
    seconds. A month of probes at random moments says what was so at the moments between them: let a scheduler start
    one every five minutes with --jitter 300.
    """
    import random
    import time
    from contextlib import ExitStack

    from kycgate import specimens
    from kycgate.check.embedded import embedded_sandbox
    from kycgate.cli.reporting import write_reports
    from kycgate.contracts.flows import flow
    from kycgate.errors import ExitCode
    from kycgate.gate.gate import Gate
    from kycgate.probing import open_store
    from kycgate.probing.prober import Prober, limits, requests_in_turn
    from kycgate.probing.store import WAIT_S
    from kycgate.runs.flow_model import RecordedFlow
    from kycgate.runs.folder import RunFolder
    from kycgate.runs.model import Run
    from kycgate.settings.profile import load_secrets
    from kycgate.text import counted, one_line

    chosen = target_of(target, cards, quiet=output.quiet, strict=strict or None)
    most, uploads = limits()
    bounds = chosen.limits.model_copy(update={"requests": most, "uploads": uploads})
    chosen = chosen.model_copy(update={"limits": bounds})
    secrets = load_secrets(chosen.environment, chosen.credentials) if chosen.base_url is not None else None
    if chosen.specimens is not None:
        specimens.load_directory(chosen.specimens)
    # To open the store, to open it again and to append to it may each take as long as a writer waits.
    for_store = 3 * WAIT_S + 5
    limit = time_limit or requests_in_turn() * chosen.timeout_s + for_store + 5
    for_requests = limit - for_store
    chosen = chosen.model_copy(update={"timeout_s": min(chosen.timeout_s, for_requests / requests_in_turn())})
    seed = random.randrange(2**31) if cards.seed is None else cards.seed
    # Before anything is sent, as what cannot be kept is not measured. No server's connection is held meanwhile.
    open_store(store, create=True).close()
    with ExitStack() as stack:
        folder = RunFolder.create(out, "probe") if out is not None else None
        judged = chosen.base_url or EMBEDDED
        output.note(f"target: {one_line(judged, 300)}")
        if secrets is None:
            embedded = stack.enter_context(embedded_sandbox(chosen))
            chosen, secrets = embedded.profile, embedded.secrets
        gate = Gate(chosen, secrets, seed=seed, folder=folder, time_s=for_requests)
        stack.callback(gate.close)
        if jitter:
            # Not by the seed: a vendor that knew the moments could prepare for them.
            time.sleep(random.SystemRandom().uniform(0, jitter))
        prober = Prober(gate, chosen, secrets, target=judged, prober=one_line(name, 80), jitter_s=jitter)
        result = prober.run(for_requests)
        output.verdict(f"{result.verdict}: {result.reason}")
        with open_store(store, create=True) as kept:
            kept.append(result)
            where = kept.name
        sent = f"{counted(result.requests, 'request')}, {counted(result.uploads, 'upload')}"
        output.line(f"{sent}, {result.duration_us / 1e3:.0f} ms; in {where}")
        code = {"kept": ExitCode.KEPT, "broken": ExitCode.BROKEN}.get(result.verdict, ExitCode.UNCLEAR)
        if folder is not None:
            run = Run(
                command="probe", verdict=code.word, exit_code=int(code), reason=result.reason,
                requests_sent=result.requests, uploads_sent=result.uploads, clauses=prober.clauses,
                kycgate_version=result.kycgate_version, target=judged, embedded_sandbox=judged == EMBEDDED,
                profile=chosen.name, started_at=result.started_at.isoformat(timespec="seconds"),
                finished_at=result.ended_at.isoformat(timespec="seconds"), seed=seed, strict=chosen.strict,
                flow=RecordedFlow.of(flow()),
            )  # fmt: skip
            folder.write_run(run)
            code = write_reports(folder, run, code)
            output.note(f"report: {folder.path / 'report.html'}")

    def answer() -> "BaseModel":
        from kycgate.cli.answers import ProbeAnswer

        return ProbeAnswer(
            verdict=result.verdict, exit_code=int(code), reason=result.reason, store=where, probe=result
        )  # fmt: skip

    output.document(answer)
    raise typer.Exit(int(code))
