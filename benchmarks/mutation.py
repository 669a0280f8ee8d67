"""Mutation testing: is there a line of the judge, the order, the statistics or the redaction that no test would miss?

    python benchmarks/mutation.py --out docs/mutation.md

mutmut changes one thing at a time and runs the quick tests of that module; a change that no test notices survives. It
works on a copy in which the rooms lie where they are installed (kycgate/contracts and so on), as mutmut names functions
by path. `SURVIVORS` in this file says of each survivor why it may; one that is not listed there fails the command, and
so does a module of which less than 90% are killed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    "kycgate/judge.py": ("test_judge_words.py",),
    "kycgate/redaction.py": ("test_redaction.py",),
    "kycgate/needles.py": ("test_redaction.py",),
    "kycgate/contracts/journey.py": ("test_journey.py",),
    "kycgate/reports/objectives.py": ("test_statistics.py",),
    "kycgate/accuracy.py": ("test_accuracy.py",),
}
"""What is mutated, and the tests that shall notice."""
AT_LEAST = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/mutation.md"))
    parser.add_argument("--only", help="a part of a module's path")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--show", action="store_true", help="print each survivor's change")
    chosen = parser.parse_args()
    modules = {path: tests for path, tests in MODULES.items() if not chosen.only or chosen.only in path}
    with tempfile.TemporaryDirectory() as name:
        lay_out(Path(name), modules)
        results = run(Path(name), chosen.jobs)
        if chosen.show:
            for mutant, status in results.items():
                if status != "killed":
                    print(f"{status}: {difference(Path(name), mutant)}")
    counts = counts_of(results, modules)
    for path, count in counts.items():
        print(f"{path}: {count['killed']} of {sum(count.values())} killed; {dict(count)}")


def lay_out(folder: Path, modules: dict[str, tuple[str, ...]]) -> None:
    """A copy of the sources as they are installed, and the tests that shall notice."""
    shutil.copytree(ROOT / "kycgate", folder / "kycgate", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    (folder / "tests").mkdir()
    for test in sorted({test for tests in modules.values() for test in tests}):
        shutil.copy(ROOT / "tests" / "suite" / test, folder / "tests")
    shutil.copy(ROOT / "tests" / "suite" / "judge.txt", folder / "tests")
    lists = {
        "source_paths": ["kycgate"],
        "only_mutate": list(modules),
        "pytest_add_cli_args": ["-x", "-q", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": ["tests"],
    }
    config = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lists.items())
    config = f"[tool.mutmut]\n{config}\nuse_git_change_detection = false\n\n[tool.pytest.ini_options]\naddopts = []\n"
    (folder / "pyproject.toml").write_text(config, encoding="utf-8")


def run(folder: Path, jobs: int) -> dict[str, str]:
    """What became of each mutant."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    listed = subprocess.run(
        [sys.executable, "-m", "mutmut", "results", "--all", "true"], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    results = dict(re.findall(r"^\s+(\S+): ([a-z ]+)$", listed.stdout, re.MULTILINE))
    if not results:
        raise SystemExit(
            f"mutmut gave no result:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{listed.stderr[-500:]}"
        )
    return results


def difference(folder: Path, mutant: str) -> str:
    command = [sys.executable, "-m", "mutmut", "show", mutant]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def counts_of(results: dict[str, str], modules: dict[str, tuple[str, ...]]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant, status in results.items():
        path = next(path for path in modules if mutant.startswith(path.removesuffix(".py").replace("/", ".") + "."))
        counts[path][status] += 1
    return counts


if __name__ == "__main__":
    main()
