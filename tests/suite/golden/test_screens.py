"""What the daily commands print: check and load on a terminal of 80 columns without colour and in a pipe, others alike.

screens.txt holds it; `KYCGATE_UPDATE=1 pytest tests/suite/golden/test_screens.py` writes it anew, and the change is
read before it is committed. Ports, times and sizes of a moment are written as <…>.
"""

import io
import os
import re
from pathlib import Path

from rich.console import Console

from kycgate.cli.options import Format
from kycgate.cli.progress import print_outcome
from kycgate.runs.folder import RunFolder
from tests.suite.command_line import kycgate
from tests.suite.recorded import write_load

GOLDEN = Path(__file__).parent / "screens.txt"
RECORDED = Path(__file__).parent.parent / "recorded"
POLICY = '[[objective]]\nid = "up"\nkind = "availability"\nat_least = 0.9\nbursts_s = 0\n'
VOLATILE = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"(answers in|uploads,) \d+ ms\b", r"\1 <time> ms"),
    (r"\d+ a second", "<rate> a second"),
    (r"within \d+ s of ours", "within <time> s of ours"),
)


def stable(text: str, folder: Path) -> str:
    text = text.replace(f"{folder}/", "").replace(f"{RECORDED}/", "")
    for pattern, instead in VOLATILE:
        text = re.sub(pattern, instead, text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def shown(name: str, *, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=80, force_terminal=terminal, color_system=None, highlight=False, legacy_windows=False
    )
    folder = RunFolder(RECORDED / name)
    print_outcome(folder.read_run(), folder, console, Format.TEXT)
    return out.getvalue()


def runs_in(folder: Path) -> None:
    (folder / "policy.toml").write_text(POLICY)
    for name, level in (("before", 100.0), ("after", 130.0)):
        seconds = [[level + (7 * second + place) % 13 for place in range(20)] for second in range(60)]
        write_load(folder / name, {"upload_front": seconds, "onboarding": seconds})


def screens(folder: Path) -> dict[str, str]:
    runs_in(folder)
    made = {
        "check, terminal": shown("v1-check-broken", terminal=True),
        "check, pipe": shown("v1-check-broken", terminal=False),
        "load and verify, terminal": shown("v1-verify-kept", terminal=True),
        "load and verify, pipe": shown("v1-verify-kept", terminal=False),
    }
    for call in (
        "doctor --sandbox",
        "doctor --sandbox --quiet",
        "sla --policy policy.toml before --quiet",
        "probe --sandbox --store probes.db",
        "compare before after",
        "compare before after --quiet",
    ):
        done = kycgate(*call.split(), cwd=folder)
        made[call] = f"{done.stdout}{done.stderr}exit code {done.returncode}\n"
    return {name: stable(text, folder) for name, text in made.items()}


def test_the_screens_are_as_they_were(tmp_path: Path) -> None:
    text = "\n".join(f"=== {name}\n{said}" for name, said in screens(tmp_path).items())
    if os.environ.get("KYCGATE_UPDATE"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
