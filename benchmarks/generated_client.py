"""What a client that was generated from our OpenAPI survives.

    python benchmarks/generated_client.py [--jobs N] [--only NAME] [--out docs/generated-client.md]

A generator makes a package from `kycgate openapi`; `examples/client/generated.py`, written on that package as its
README shows, is rehearsed against every fault, habit and line. The generator runs in an environment of its own
(`uv tool run`).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

import kycgate
from kycgate.contracts.openapi import text as openapi_text
from kycgate.specimens import save

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "client" / "generated.py"
GENERATOR, VERSION = "openapi-python-client", "0.29.1"
TIME_LIMIT_S = 30
"""Longer than the slow reading, which is lawful. The generated client waits without end, where it is not told to."""


def generate(folder: Path) -> None:
    """Make the package `vendor_client` in `folder`.

    Raises:
        subprocess.CalledProcessError: the generator cannot be had, or fails, or has a warning about our OpenAPI.
    """
    (folder / "openapi.yaml").write_text(openapi_text(), encoding="utf-8")
    subprocess.run(
        [
            "uv", "tool", "run", "--from", f"{GENERATOR}=={VERSION}", GENERATOR, "generate", "--path", "openapi.yaml",
            "--meta", "none", "--output-path", "vendor_client", "--overwrite", "--fail-on-warning",
        ],
        cwd=folder, check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def rehearse(folder: Path, options: Sequence[str]) -> dict[str, Any]:
    """Rehearse the example on the package in `folder`; returns run.json."""
    save(folder / "cards", 1, seed=3)
    subprocess.run(
        [
            sys.executable, "-m", "kycgate", "rehearse", "--out", "run", "--time-limit", str(TIME_LIMIT_S), *options,
            "--", sys.executable, str(EXAMPLE), "cards",
        ],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, check=False, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def page(run: dict[str, Any]) -> str:
    """The table, and what was not survived with the last words of the client."""
    cases = run["rehearsal"][1:]
    by_kind: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for trial in cases:
        by_kind[trial["case"].partition(".")[0]][trial["outcome"]] += 1
    outcomes = ("survived", "failed", "hung", "not exercised")
    lines = [
        "# A client generated from the OpenAPI, rehearsed",
        "",
        f"Printed by `python benchmarks/generated_client.py` on {datetime.now(UTC):%Y-%m-%d}; {GENERATOR} {VERSION},",
        f"httpx {httpx.__version__}, kycgate {kycgate.__version__}, Python {platform.python_version()}.",
        "",
        "The client is `examples/client/generated.py`: it calls the generated package as its README shows,",
        "checks what the types tell it to check, and catches nothing. It survives a case when it ends with exit code",
        "0, be it with a refusal that it shows.",
        "",
        f"| cases | {' | '.join(outcomes)} |",
        f"| --- | {' | '.join(['---:'] * len(outcomes))} |",
        *(f"| {kind} | {' | '.join(str(by_kind[kind][name]) for name in outcomes)} |" for kind in sorted(by_kind)),
        "",
        "`not exercised`: the client sends no request whose answer the case changes (most faults are of refusals, of",
        "tokens that it does not send, and of cards that it does not show).",
        f"A hung one was still running after {TIME_LIMIT_S} s.",
        "",
        "## What it did not survive",
        "",
        "| case | outcome | last words |",
        "| --- | --- | --- |",
    ]
    for trial in cases:
        if trial["outcome"] in ("failed", "hung"):
            last = trial["output"].strip().rpartition("\n")[2][:160].replace("|", "\\|").replace("`", "'")
            lines.append(f"| `{trial['case']}` | {trial['outcome']} | {f'`{last}`' if last else ''} |")
    lines += [
        "",
        "## What it did, judged by the clauses of a client",
        "",
        "| clause | verdict | |",
        "| --- | --- | --- |",
    ]
    for clause in run["clauses"]:
        if clause["id"].startswith("client."):
            said = clause["findings"][0]["actual"] if clause["findings"] else clause["reason"]
            lines.append(f"| `{clause['id']}` | {clause['verdict']} | {said} |")
    return "\n".join([*lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    chosen = [option for name in options.only for option in ("--only", name)]
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        text = page(rehearse(Path(folder), ["--jobs", str(options.jobs), *chosen]))
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
