"""What a machine does to a run: full disks, folders that cannot be written, closed streams, kills, clocks that jump."""

import datetime as dt
import itertools
import json
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kycgate.cli.execute import execute
from kycgate.cli.spec import RunSpec
from kycgate.errors import UsageError
from kycgate.runs.checkpoint import Checkpoint
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.sandbox import RunningSandbox, SandboxSettings
from kycgate.sandbox.vendor import Incoming, Reply, Vendor
from kycgate.settings.profile import Limits, Profile
from kycgate.tests.suite.chaos_trial import SECRET, TENANT, environment
from kycgate.tests.suite.kills import COMMANDS, SIGNALS, Kill, kill_once, moments

SMALL = ("--budget", "90", "--uploads", "30", "--seed", "3")
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with RunningSandbox(SandboxSettings(tenants={TENANT: SECRET})) as sandbox:
        yield sandbox.base_url


def _start(cwd: Path, *arguments: str, **options: object) -> "subprocess.Popen[str]":
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
    env = environment()
    if "preexec_fn" in options:
        # Python would keep compiled modules cut at the limit, and load them in each later process.
        env["PYTHONDONTWRITEBYTECODE"] = "1"
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "kycgate", *arguments], cwd=cwd, env=env, text=True, **options
    )


def _limited(size: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize(
    ("size", "code", "says"),
    [
        (0, 2, "cannot write to run: "),  # not even the folder's first file
        (30_000, 3, "cannot "),  # in the midst of the run
    ],
)
def test_a_full_disk_is_said(size: int, code: int, says: str, target: str, tmp_path: Path) -> None:
    """A file may not grow beyond this number of bytes: the write fails as it does on a full disk (EFBIG for ENOSPC)."""
    process = _start(tmp_path, "check", "--base-url", target, "--out", "run", *SMALL, preexec_fn=_limited(size))
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, out + err
    assert says in out + err
    assert "File too large" in out + err
    assert "Traceback" not in out + err
    assert "please report" not in out + err
    if size:
        json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))


def test_a_full_disk_under_load_is_said(target: str, tmp_path: Path) -> None:
    """The histogram log is what grows there; nothing more is sent once it cannot be written."""
    process = _start(
        tmp_path, "load", "--base-url", target, "--out", "run", "--rate", "40", "--duration", "60",
        preexec_fn=_limited(8_000),
    )  # fmt: skip
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3, out + err
    assert "File too large" in out + err
    assert "Traceback" not in out + err


def test_a_folder_that_cannot_be_made_is_a_wrong_call(tmp_path: Path) -> None:
    """Not even root can make a folder there."""
    process = _start(tmp_path, "check", "--base-url", NOBODY, "--out", "/proc/self/kycgate")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "cannot write to /proc/self/kycgate: " in err
    assert len(err.strip().splitlines()) == 1
    assert not out


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", "check").write_run(Run(command="check", verdict="kept", exit_code=0))
    before = (tmp_path / "run" / "run.json").read_bytes()
    process = _start(tmp_path, "check", "--base-url", NOBODY, "--out", "run")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "already holds a run" in err) == (2, True)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_of_many_runs_into_one_folder_one_gets_it(tmp_path: Path) -> None:
    barrier = threading.Barrier(16)
    made: list[RunFolder] = []
    refused: list[str] = []

    def claim() -> None:
        barrier.wait()
        try:
            made.append(RunFolder.create(tmp_path / "run", "check"))
        except UsageError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=claim) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(refused) == 15
    assert all("already holds a run" in line for line in refused)


def test_all_streams_closed(target: str, tmp_path: Path) -> None:
    """`kycgate check <&- >&- 2>&-`: the verdict is the exit code, and none of our words end up in a file of the run."""
    words = [sys.executable, "-m", "kycgate", "check", "--base-url", target, "--out", "run", *SMALL]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words], cwd=tmp_path, env=environment(), timeout=120, check=False
    )
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert done.returncode == run["exit_code"] == 0
    lines = (tmp_path / "run" / "exchanges.ndjson").read_text(encoding="utf-8").strip("\n").split("\n")
    # Those that were sent at once are written as they end.
    assert sorted(json.loads(line)["number"] for line in lines) == list(range(1, run["requests_sent"] + 1))


def test_a_reader_that_leaves_does_not_change_the_verdict(tmp_path: Path) -> None:
    """`kycgate check | true`: the pipe is closed before anything is printed."""
    process = _start(tmp_path, "check", "--base-url", NOBODY, "--out", "run")
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()
    assert process.wait(timeout=120) == 3
    assert json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["exit_code"] == 3
    assert (tmp_path / "run" / "report.html").exists()


def test_an_output_that_is_full_is_said(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = _start(tmp_path, "clauses", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert err == "kycgate: the output cannot be written: No space left on device\n"


def test_a_terminal_that_goes_away_keeps_what_was_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target holds its 13th request, so the hang-up always meets a check that waits for an answer."""
    numbers, held, released, handle = itertools.count(1), threading.Event(), threading.Event(), Vendor.handle

    def hold(self: Vendor, request: Incoming) -> Reply:
        if next(numbers) > 12:
            held.set()
            released.wait(60)
        return handle(self, request)

    monkeypatch.setattr(Vendor, "handle", hold)
    with RunningSandbox(SandboxSettings(tenants={TENANT: SECRET})) as sandbox:
        process = _start(tmp_path, "check", "--base-url", sandbox.base_url, "--out", "run", "--rate", "20")
        try:
            assert held.wait(60)
            process.send_signal(signal.SIGHUP)
            out, err = process.communicate(timeout=60)
        finally:
            released.set()
            process.kill()
    assert process.returncode == 3, err
    assert "unclear: the run was stopped before its end" in out
    run = RunFolder(tmp_path / "run").read_run()
    assert (run.complete, run.exit_code, run.requests_sent >= 12) == (False, 3, True)
    assert any(clause.observed for clause in run.clauses)


def test_a_share_of_the_kill_test(target: str, tmp_path: Path) -> None:
    """Twelve of docs/kills.md: the recorded run is made here, without load."""
    # Where these tests run in a shell's background it is ignored, and would be by the commands too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    few = Profile(limits=Limits(requests=6, uploads=3))
    execute(RunSpec(command="check", profile=few, out=tmp_path / "recorded", seed=1, check=True), say=lambda _: None)
    lasting = {name: 2.5 for name in COMMANDS if name not in ("prove", "sla", "verify")}

    def one(number: int, planned: tuple[str, signal.Signals, float]) -> Kill:
        return kill_once(*planned, tmp_path / str(number), target, tmp_path / "recorded")

    with ThreadPoolExecutor(4) as pool:
        kills = list(pool.map(one, range(12), moments(12, 20261125, lasting)))
    assert {kill.number for kill in kills} == set(SIGNALS)
    assert [kill for kill in kills if kill.problems] == []


def test_every_command_meets_every_signal() -> None:
    planned = list(moments(len(COMMANDS) * 3, 1, dict.fromkeys(COMMANDS, 1.0)))
    assert {(command, number) for command, number, _ in planned} == {(c, n) for c in COMMANDS for n in SIGNALS}
    assert planned == list(moments(len(COMMANDS) * 3, 1, dict.fromkeys(COMMANDS, 1.0)))


def test_a_kept_result_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "gone")
    checkpoint = Checkpoint(folder, Run(command="check", verdict="unclear", exit_code=3))
    checkpoint._next = 0.0
    checkpoint.take(lambda run: None)
    assert "No such file" in checkpoint.problem


def test_a_clock_that_jumps_breaks_no_clause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock leaps by up to two days to and fro at each look; durations are monotonic, verdicts stay."""
    rng = random.Random(9)

    class Leaping(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Leaping":
            leap = dt.timedelta(seconds=rng.uniform(-2, 2) * 86_400)
            return cls.fromtimestamp(time.time() + leap.total_seconds(), tz)

    patched = 0
    for name, module in list(sys.modules.items()):
        ours = name.startswith("kycgate.") and not name.startswith(("kycgate.sandbox", "kycgate.specimens"))
        if ours and getattr(module, "datetime", None) is dt.datetime:
            monkeypatch.setattr(module, "datetime", Leaping)
            patched += 1
    assert patched >= 4
    said: list[str] = []
    profile = Profile(strict=True, limits=Limits(requests=220, uploads=60))
    spec = RunSpec(command="check", profile=profile, out=tmp_path / "run", seed=5, check=True)
    run, folder = execute(spec, say=said.append)
    assert run.exit_code == 0, run.reason
    assert {clause.id: clause.verdict for clause in run.clauses if clause.verdict == "broken"} == {}
    for exchange in folder.read_exchanges():
        clocks = exchange.clocks.model_dump()
        assert all(value is None or 0 <= value < 60_000 for value in clocks.values()), clocks


def test_nothing_of_ours_is_timed_by_the_wall_clock() -> None:
    """`time.time` is for showing when something was; a duration by it turns around when the clock is set.

    A rehearsal compares it with what is Unix time itself: when a file was changed, when a token expires.
    """
    root = Path(__file__).resolve().parents[3]
    users = {
        path.relative_to(root).as_posix()
        for room in ("kycgate", "load", "reports", "tests/contract")
        for path in (root / room).rglob("*.py")
        if "kycgate/sandbox/" not in path.as_posix() and "time.time()" in path.read_text(encoding="utf-8")
    }
    rehearsal = {"kycgate/rehearsal/rehearse.py", "kycgate/rehearsal/client_clauses.py"}
    assert users <= {"load/generator.py"} | rehearsal, users
