"""Runs contract tests under pytest: gives them the gate, keeps to the budget, and turns breaches into failures."""

import os
import random
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import kycgate
from kycgate.check.embedded import embedded_sandbox
from kycgate.check.side_by_side import attempt, give_up
from kycgate.contracts.clauses import CORE, clause
from kycgate.errors import CannotJudge, ExitCode, UsageError
from kycgate.gate.gate import Gate
from kycgate.gate.plan import MARK, PlannedTest, places, planned
from kycgate.gate.session import Session
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.runs.verdict import decide, exit_code_of
from kycgate.settings.profile import (
    NO_TARGET,
    Profile,
    find_profile,
    load_profile,
    load_secrets,
    take_flow,
    take_flow_of_call,
)
from kycgate.settings.selection import clauses_named
from kycgate.settings.severity import Effect

MAX_SECTION = 50_000
"""Characters of captured output that pytest shows of a failed contract test."""
EMBEDDED = "kycgate_sandbox"
THOROUGH_REQUESTS, THOROUGH_UPLOADS = 3_000, 1_000


class GatePlugin:
    """Bound to one gate, when the command line made it; else it makes one from pytest's own options."""

    def __init__(
        self, gate: Gate | None = None, *, strict: bool = False, thorough: bool = False, only: Collection[str] = ()
    ) -> None:
        self.bound = gate
        self._made_it = False
        """Whether the gate is this plugin's own, as under plain pytest."""
        self.strict = strict
        self.is_thorough = thorough
        self.only = frozenset(only)
        self.plan: list[PlannedTest] = []
        self.not_tried: dict[str, str] = {}
        self.crashed: list[str] = []
        self._stack = ExitStack()
        self._folder: RunFolder | None = None
        self._embedded = False
        self._began = datetime.now(UTC).isoformat(timespec="seconds")
        self._refused: CannotJudge | None = None
        self._said = ""
        """At the end of plain pytest: why its tests' passing is not a verdict."""

    # pytest's hooks

    def pytest_configure(self, config: pytest.Config) -> None:
        try:
            if self.bound is None and hasattr(config.option, "profile"):
                # Before anything is collected: the tests are made from the flow.
                take_flow_of_call(Path(config.option.profile) if config.option.profile else None)
            self.only |= clauses_named(config.getoption("only_clause", default=None) or ())
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        config.addinivalue_line("markers", f"{MARK}(*clauses, requests, uploads, telling): a contract test")

    def pytest_report_header(self, config: pytest.Config) -> str:
        """What the contract tests judge."""
        if self.bound is not None:
            return f"kycgate target: {self.bound.profile.base_url}"
        if config.getoption("sandbox"):
            return "kycgate target: the embedded sandbox, no vendor"
        named = config.getoption("base_url") or os.environ.get("KYCGATE_BASE_URL")
        return f"kycgate target: {named or config.getoption('profile') or find_profile() or 'none'}"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """The most telling tests go first, so that a small budget is well spent; `--only` leaves out the others."""
        profile = self.bound.profile if self.bound is not None else Profile()
        contract = [item for item in items if (plan := planned(item)) and self._wants(plan, profile)]
        others = [item for item in items if not planned(item)]
        place = places([_planned(item) for item in contract])
        contract.sort(key=lambda item: place[_planned(item)])
        items[:] = others + contract
        self.plan = [_planned(item) for item in contract]

    def _wants(self, plan: PlannedTest, profile: Profile) -> bool:
        if self.only and self.only.isdisjoint(plan.clauses):
            return False
        return not plan.asked or bool(getattr(profile, plan.asked))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Opening a session may already show that the test cannot judge anything."""
        plan = planned(item)
        if plan is not None and self.bound is not None:
            self.bound.target.test = plan.test
        try:
            yield
        except CannotJudge as error:
            if plan is not None and self.bound is not None:
                give_up(self.bound, plan, error, self.not_tried)
            pytest.skip(str(error))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        plan = planned(item)
        if plan is None or self.bound is None:
            yield
            return
        gate = self.bound
        before = gate.ledger.breaches()
        with attempt(gate, plan, self.not_tried) as tried:
            gate.budget.demand(requests=plan.requests - 1, uploads=plan.uploads)
            yield
        failing = self._failing(gate, gate.ledger.breaches() - before)
        if failing:
            pytest.fail("\n".join(_evidence(gate, failing)), pytrace=False)
        if tried.reason:
            pytest.skip(tried.reason)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A contract test that crashes is a bug of ours, and must not pass for a verdict."""
        if report.failed and not getattr(report, "kycgate_broken", False):
            self.crashed.append(f"{report.nodeid}: {str(report.longrepr)[-2000:]}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """What pytest shows, or writes into its own JUnit file, of a failed contract test holds nothing secret."""
        report: pytest.TestReport = yield  # type: ignore[assignment]
        if planned(item) is not None and self.bound is not None and report.longrepr is not None:
            redact = self.bound.redactor.text
            report.__dict__["kycgate_broken"] = "broken: " in str(report.longrepr)
            if isinstance(report.longrepr, tuple):
                path, line, reason = report.longrepr
                report.longrepr = path, line, redact(reason)
            else:
                report.longrepr = "\n".join(redact(line) for line in str(report.longrepr).splitlines())
            report.sections = [(name, redact(text, MAX_SECTION)) for name, text in report.sections]
        return report  # type: ignore[return-value]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Plain pytest, where no test failed, is green only where something was judged of each core clause it ran."""
        gate = self.bound
        if gate is None or not self._made_it:
            return
        before = gate.ledger.breaches()
        gate.judge_whole_run()
        if self._folder is not None:
            self._write_folder(gate, self._folder)
        if exitstatus != pytest.ExitCode.OK:
            return
        wanted = {name for item in session.items if (plan := planned(item)) for name in plan.clauses}
        lacking = [name for name in CORE if name in wanted and not gate.ledger.judged(name)]
        self._said = gate.settle() or (f"too little evidence: no verdict on {', '.join(lacking)}" if lacking else "")
        failing = self._failing(gate, gate.ledger.breaches() - before)
        if failing:
            said = f"broken: {', '.join(failing)}, as the whole run shows"
            session.exitstatus, self._said = pytest.ExitCode.TESTS_FAILED, said
        elif self._said:
            session.exitstatus = int(ExitCode.UNCLEAR)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.bound is not None and self._made_it:
            self._summarize(self.bound, terminalreporter)
        if self._said and self.bound is not None:
            terminalreporter.write_line(f"kycgate: {self.bound.redactor.text(self._said)}")

    def _summarize(self, gate: Gate, terminalreporter: pytest.TerminalReporter) -> None:
        """Each cause once, however many tests met it, and where the run's folder lies."""
        clauses = gate.ledger.results(self.not_tried)
        rules = gate.profile.rules(strict=self.strict)
        decide(clauses, rules)
        causes = [result for result in clauses if result.effect is Effect.FAILS and not result.cause]
        if causes:
            terminalreporter.section("broken clauses, by cause")
        for result in sorted(causes, key=lambda result: result.level.rank):
            also = f"; also touches {', '.join(result.touches)}" if result.touches else ""
            terminalreporter.write_line(f"{result.id} [{result.level}] {result.how_often}{also}")
        if self._folder is not None:
            terminalreporter.write_line(f"kycgate: for the reports of this run: kycgate report {self._folder.path}")

    def _write_folder(self, gate: Gate, folder: RunFolder) -> None:
        """run.json; the reports are made from it by `kycgate report`."""
        clauses = gate.ledger.results(self.not_tried)
        waivers = decide(clauses, gate.profile.rules(strict=self.strict))
        code, reason = exit_code_of(clauses, [], strict=self.strict, cannot_judge=gate.settle())
        run = Run(
            command="check", verdict=code.word, exit_code=int(code), reason=reason, clauses=clauses, waivers=waivers,
            requests_sent=gate.budget.requests_sent, uploads_sent=gate.budget.uploads_sent, seed=gate.seed,
            kycgate_version=kycgate.__version__, target=gate.target.base_url, embedded_sandbox=self._embedded,
            profile=gate.profile.name, strict=self.strict, open_points=gate.ledger.open_points(),
            started_at=self._began, finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        folder.write_run(run)

    def _failing(self, gate: Gate, broken: Iterable[str]) -> list[str]:
        """Those of the broken clauses that fail the gate."""
        rules = gate.profile.rules(strict=self.strict)
        return sorted(name for name in broken if rules.decide(name, clause(name).level).effect is Effect.FAILS)

    def pytest_unconfigure(self) -> None:
        self._stack.close()

    # fixtures

    @pytest.fixture(scope="session")
    def gate(self, pytestconfig: pytest.Config) -> Gate:
        """The gate to the target; with --sandbox, to the embedded one."""
        if self._refused is not None:
            raise self._refused
        if self.bound is None:
            try:
                gate = self._make_gate(pytestconfig)
                gate.preflight()
                self.bound, self._made_it = gate, True
            except UsageError as error:
                pytest.exit(str(error), returncode=int(error.exit_code))
            except CannotJudge as error:
                self._refused = error
                pytest.exit(str(error), returncode=int(error.exit_code))
            return gate
        return self.bound

    @pytest.fixture
    def session(self, gate: Gate) -> Iterator[Session]:
        """A session in which nothing was done yet."""
        opened = gate.session()
        yield opened
        gate.release(opened)

    @pytest.fixture(scope="session")
    def thorough(self, pytestconfig: pytest.Config) -> bool:
        return self.is_thorough or bool(pytestconfig.getoption("thorough", default=False))

    def _make_gate(self, config: pytest.Config) -> Gate:
        option = config.getoption
        path = option("profile")
        thorough = bool(option("thorough"))
        loaded = load_profile(
            find_profile(Path(path) if path else None),
            base_url=option("base_url"),
            translation=option("translation"),
            specimens=Path(option("specimens")) if option("specimens") else None,
            limits__requests=option("budget") or (THOROUGH_REQUESTS if thorough else None),
            limits__uploads=option("uploads") or (THOROUGH_UPLOADS if thorough else None),
            limits__rate=option("rate"),
            strict=option("strict_clauses") or None,
        )
        profile = take_flow(loaded)
        self.strict = profile.strict
        if option("sandbox"):
            profile = profile.model_copy(update={"base_url": None})
        elif profile.base_url is None:
            raise UsageError(NO_TARGET)
        seed = option("seed") if option("seed") is not None else random.randrange(2**31)
        secrets = load_secrets(profile.environment, profile.credentials) if profile.base_url is not None else None
        out = option("kycgate_out")
        self._folder = RunFolder.create(Path(out), "check") if out else None
        if secrets is not None:
            gate = Gate(profile, secrets, seed=seed, folder=self._folder, expired_token=secrets.expired_token)
        else:
            embedded = self._stack.enter_context(embedded_sandbox(profile))
            self._embedded, expired = True, embedded.expired_token
            gate = Gate(embedded.profile, embedded.secrets, seed=seed, folder=self._folder, expired_token=expired)
        self._stack.callback(gate.close)
        return gate


def _evidence(gate: Gate, failing: Iterable[str]) -> Iterator[str]:
    """What a failed test shows: for each clause the endpoint, what was required and came, and how to send it again."""
    found = {result.id: result for result in gate.ledger.results()}
    for name in failing:
        yield f"broken: {name} ({clause(name).sentence})"
        result = found[name]
        if result.cause:
            yield f"  by answers that break {result.cause} first"
        for finding in result.findings[:1]:
            exchange = finding.exchange
            if exchange is not None:
                yield f"  endpoint: {exchange.method} {exchange.endpoint} ({exchange.intent})"
                yield f"  exchange: {exchange.number}"
            yield f"  required: {finding.required}"
            where = "" if finding.actual.startswith(finding.where) else f"{finding.where}: "
            yield f"  came: {where}{finding.actual}"
            if finding.curl:
                yield f"  curl: {finding.curl}"


def _planned(item: pytest.Item) -> PlannedTest:
    plan = planned(item)
    assert plan is not None  # noqa: S101 - callers have filtered
    return plan


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kycgate", "contract tests against a National ID onboarding API")
    group.addoption("--base-url", help="the target (default: KYCGATE_BASE_URL, else the profile's base_url)")
    group.addoption("--sandbox", action="store_true", help="judge the embedded sandbox, whatever target is set")
    group.addoption(
        "--profile", help="a kycgate.toml (default: ./kycgate.toml, else [tool.kycgate] in ./pyproject.toml)"
    )
    group.addoption("--translation", choices=("on", "off", "auto"), help="the vendor's translation feature")
    group.addoption("--specimens", help="a folder with the vendor's own test cards")
    group.addoption("--budget", type=int, help="requests to send at most")
    group.addoption("--uploads", type=int, help="uploads to send at most")
    group.addoption("--kycgate-out", help="the run's folder: run.json and the exchanges, for `kycgate report`")
    group.addoption("--rate", type=float, help="requests a second at most")
    group.addoption("--seed", type=int, help="repeat the run with this seed")
    group.addoption("--strict-clauses", action="store_true", help="expected clauses fail too")
    group.addoption("--only", action="append", dest="only_clause", help="judge this clause or family alone; repeatable")
    group.addoption("--thorough", action="store_true", help="more of everything")


def _has_target(config: pytest.Config) -> bool:
    if config.getoption("sandbox"):
        return False
    given = config.getoption("base_url") or config.getoption("profile") or os.environ.get("KYCGATE_BASE_URL")
    return bool(given or find_profile())


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A target has one budget and one order of tests, which stay in one process; most tests of our own only wait."""
    return 0 if _has_target(config) else (os.cpu_count() or 1) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of xdist reads the words of the call again, and would not know what was concluded from them."""
    node.workerinput[EMBEDDED] = node.config.option.sandbox


def pytest_configure(config: pytest.Config) -> None:
    """Under plain pytest the gate is made from pytest's options."""
    named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    if hasattr(config, "workerinput"):
        config.option.sandbox = config.workerinput[EMBEDDED]
    elif not named and not _has_target(config):
        # All tests of this repository, as `pytest` runs them there: they are of kycgate itself.
        config.option.sandbox = True
    if config.option.sandbox and not named:
        # Each worker has a budget, and one may be given most of the contract tests.
        config.option.budget = config.option.budget or THOROUGH_REQUESTS
        config.option.uploads = config.option.uploads or THOROUGH_UPLOADS
    if config.getoption("numprocesses", default=None) and _has_target(config):
        raise pytest.UsageError("-n: each process would have a budget of its own; leave it out for a target")
    if not any(isinstance(plugin, GatePlugin) for plugin in config.pluginmanager.get_plugins()):
        config.pluginmanager.register(GatePlugin(), "kycgate-gate")
