"""Mutation testing: is there a line of the judge, the order, the statistics or the redaction that no test would miss?

    python benchmarks/mutation.py --out docs/mutation.md

mutmut changes one thing at a time and runs the quick tests that reach it; a change that no test notices survives. It
works on a copy in which the rooms lie where they are installed (kycgate/contracts and so on), as mutmut names functions
by path. `survivors.toml` beside this file says of each survivor why it may. One that is not listed there fails the
command, and so does, when all mutants are run, a module of which less than 90% are killed.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from kycgate.sla.objectives import share_bounds

ROOT = Path(__file__).resolve().parents[1]
REASONS = Path(__file__).with_name("survivors.toml")
AREAS = {
    "judge": (
        "kycgate/judging/answers.py",
        "kycgate/judging/card.py",
        "kycgate/judging/leaks.py",
        "kycgate/judging/shape.py",
    ),
    "causes": ("kycgate/judging/run_causes.py",),
    "order": ("kycgate/contracts/flow.py",),
    "statistics": (
        "kycgate/judging/readings.py",
        "kycgate/sla/blocks.py",
        "kycgate/sla/bootstrap.py",
        "kycgate/sla/martingale.py",
        "kycgate/sla/needs.py",
        "kycgate/sla/objectives.py",
        "kycgate/sla/sequential.py",
        "kycgate/sla/special.py",
        "kycgate/sla/objective_verdict.py",
    ),
    "redaction": ("kycgate/target/known_values.py", "kycgate/target/redaction.py"),
}
"""What is mutated."""
TESTS = {
    "judge": ("unit/test_judge.py", "golden/test_judge_words.py", "golden/judge.txt"),
    "causes": ("unit/test_run_causes.py",),
    "order": ("unit/test_journey.py",),
    "statistics": (
        "unit/test_accuracy.py",
        "unit/test_special.py",
        "unit/test_statistics.py",
        "golden/test_statistics_time.py",
        "golden/verdicts.txt",
    ),
    "redaction": ("unit/test_redaction.py",),
}
"""The tests that should notice, with the texts that they compare with."""
AT_LEAST = 0.9
KILLED = frozenset({"killed", "timeout", "segfault", "caught by type check"})
"""A change that makes the tests run on without end is noticed too."""


class Change(NamedTuple):
    """What a mutant changes, named so that it outlives changes elsewhere in the function."""

    function: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.function} | {self.old} => {self.new}"


class Ran(NamedTuple):
    """What became of each mutant, and which changes survived."""

    made: str
    sample: int | None
    seed: int
    areas: dict[str, list[str]]
    results: dict[str, str]
    survivors: Sequence[Change]


class Reason(NamedTuple):
    """Why mutants may survive."""

    kind: str
    why: str
    changes: frozenset[str]
    everywhere: re.Pattern[str] | None

    def covers(self, change: Change) -> bool:
        return str(change) in self.changes or (
            self.everywhere is not None and bool(self.everywhere.search(str(change)))
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/mutation.md"))
    parser.add_argument("--area", action="append", choices=sorted(AREAS), help="may be repeated; all without it")
    parser.add_argument("--only", default="", help="a pattern of modules' paths")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sample", type=int, help="this number of mutants of each area, drawn at random; else all")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--keep", type=Path, help="where to write what became of each mutant")
    parser.add_argument("--again", type=Path, help="such a file: the page is written from it, and nothing is run")
    chosen = parser.parse_args()
    ran = Ran(**json.loads(chosen.again.read_text(encoding="utf-8"))) if chosen.again else run_all(chosen)
    if chosen.keep:
        chosen.keep.write_text(json.dumps(ran._asdict()), encoding="utf-8")
    survivors = [Change(*change) for change in ran.survivors]
    reasons = read_reasons()
    unexplained = [change for change in survivors if not any(reason.covers(change) for reason in reasons)]
    page, short = report(ran, survivors, reasons, unexplained)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(page, encoding="utf-8")
    print(page.partition("## The survivors")[0])
    for change in unexplained:
        print(f"survived without a reason: {change}")
    print(f"{len(survivors)} survivors, {len(unexplained)} without a reason in {REASONS.name}; {chosen.out}")
    if unexplained or (short and ran.sample is None):
        raise SystemExit(1)


def run_all(chosen: argparse.Namespace) -> Ran:
    """Runs what is chosen."""
    areas = {
        area: [path for path in AREAS[area] if re.search(chosen.only, path)]
        for area in chosen.area or AREAS
        if any(re.search(chosen.only, path) for path in AREAS[area])
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, areas)
        results = run(folder, areas, chosen.jobs, chosen.sample, chosen.seed)
        left = sorted(mutant for mutant, status in results.items() if status not in KILLED and status != "not checked")
        with ThreadPoolExecutor(chosen.jobs) as pool:
            survivors = list(pool.map(lambda mutant: change_of(folder, mutant), left))
    made = (
        f"{datetime.now(UTC):%Y-%m-%d}; kycgate {version('kycgate')}, mutmut {version('mutmut')}, "
        f"Python {sys.version.split()[0]}"
    )
    return Ran(made, chosen.sample, chosen.seed, areas, results, survivors)


def lay_out(folder: Path, areas: dict[str, list[str]]) -> None:
    """A copy of the sources as they are installed, and the tests that should notice."""
    shutil.copytree(ROOT / "kycgate", folder / "kycgate", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    (folder / "tests").mkdir()
    for area in areas:
        for test in TESTS[area]:
            shutil.copy(ROOT / "tests" / "suite" / test, folder / "tests")
    lists = {
        "source_paths": ["kycgate"],
        "only_mutate": [path for paths in areas.values() for path in paths],
        "pytest_add_cli_args": ["-x", "-q", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": ["tests"],
    }
    config = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lists.items())
    config = f"[tool.mutmut]\n{config}\nuse_git_change_detection = false\n"
    config += '[tool.pytest.ini_options]\naddopts = []\nfilterwarnings = ["error"]\n'
    (folder / "pyproject.toml").write_text(config, encoding="utf-8")


def mutmut(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The environment of the shell that runs the tests must not reach the mutants.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KYCGATE_")}
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def run(folder: Path, areas: dict[str, list[str]], jobs: int, sample: int | None, seed: int) -> dict[str, str]:
    """What became of each mutant; of those that were not drawn, "not checked"."""
    drawn: list[str] = []
    if sample is not None:
        # Makes the mutants, and ends since none has such a name.
        mutmut(folder, "run", "none")
        every, rng = statuses(folder), random.Random(seed)
        for paths in areas.values():
            own = sorted(mutant for mutant in every if module_of(mutant) in map(module_name, paths))
            drawn += rng.sample(own, min(sample, len(own)))
    done = mutmut(folder, "run", "--max-children", str(jobs), *drawn)
    results = statuses(folder)
    if done.returncode or not any(status != "not checked" for status in results.values()):
        raise SystemExit(f"mutmut failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return results


def statuses(folder: Path) -> dict[str, str]:
    listed = mutmut(folder, "results", "--all", "true").stdout
    return dict(re.findall(r"^\s+(\S+): ([a-z ]+)$", listed, re.MULTILINE))


def module_of(mutant: str) -> str:
    return mutant.rpartition(".")[0]


def module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def change_of(folder: Path, mutant: str) -> Change:
    shown = mutmut(folder, "show", mutant).stdout.splitlines()
    old, new = (
        " ".join(line[1:].strip() for line in shown if line.startswith(sign) and not line.startswith(sign * 3))
        for sign in "-+"
    )
    # mutmut's names: module.x_function__mutmut_7, module.xǁClassǁmethod__mutmut_7.
    module, _, name = mutant.partition("__mutmut_")[0].rpartition(".")
    return Change(f"{module}.{re.sub('^x(ǁ|_)', '', name).replace('ǁ', '.')}", old, new)


def read_reasons() -> list[Reason]:
    read = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    return [
        Reason(
            entry["kind"],
            entry["why"],
            frozenset(entry.get("changes", ())),
            re.compile(entry["everywhere"]) if "everywhere" in entry else None,
        )
        for entry in read["reason"]
    ]


def report(
    ran: Ran, survivors: Sequence[Change], reasons: Sequence[Reason], unexplained: Sequence[Change]
) -> tuple[str, bool]:
    """The page, and whether too few were killed somewhere."""
    rows = list(_rows(ran.areas, ran.results))
    options = "" if ran.sample is None else f" --sample {ran.sample} --seed {ran.seed}"
    which = "All mutants were run." if ran.sample is None else (
        f"{ran.sample} mutants of each area were drawn at random (seed {ran.seed}; all where there are fewer); the "
        "rest was not run."
    )  # fmt: skip
    lines = [
        "# What the tests would miss",
        "",
        f"Printed by `python benchmarks/mutation.py{options}` on {ran.made}.",
        "",
        (
            "One thing is changed at a time (an operator, a number, a word, an argument), and the area's quick tests "
            f"are run on it. {which} Killed: a test fails, or does not end. Of each module at least {AT_LEAST:.0%} "
            "have to be when all are run, and each survivor needs a reason."
        ),
        "",
        "| area | module | mutants | run | killed | share | 95% interval for all |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
        *(row for row, _ in rows),
        "",
        "The interval is exact (binomial, Clopper and Pearson); where every mutant was run there is none.",
        "",
        "## The survivors",
        "",
    ]
    for kind, title in (
        ("equivalent", "Equivalent: the changed program does the same"),
        ("harmless", "Harmless: it does something else, which cannot be told or is as good"),
        ("open", "Open: a test would be worth less than it costs"),
    ):
        covered = [(r, [c for c in survivors if r.covers(c)]) for r in reasons if r.kind == kind]
        lines += [f"### {title} ({sum(len(changes) for _, changes in covered)})", ""]
        for reason, changes in covered:
            if changes:
                lines += [f"{reason.why}", ""]
                lines += [
                    f"- `{function}`: {_code(old)} became {_code(new)}{f' ({n} times)' if n > 1 else ''}"
                    for (function, old, new), n in sorted(Counter(changes).items())
                ]
                lines.append("")
    if unexplained:
        lines += [f"### Without a reason ({len(unexplained)})", "", *(f"- {_code(str(c))}" for c in unexplained), ""]
    return "\n".join(lines).rstrip() + "\n", any(short for _, short in rows)


def _rows(areas: dict[str, list[str]], results: dict[str, str]) -> Iterator[tuple[str, bool]]:
    """Lines of the table, and whether too few were killed."""
    for area, paths in areas.items():
        counted = [(path, [s for m, s in results.items() if module_of(m) == module_name(path)]) for path in paths]
        if len(counted) > 1:
            counted.append(("**all of it**", [status for _, found in counted for status in found]))
        for path, found in counted:
            n = sum(status != "not checked" for status in found)
            killed = sum(status in KILLED for status in found)
            low, high = share_bounds(killed, n, 0.975)
            interval = "" if n == len(found) else f"{low:.1%} to {high:.1%}"
            share = f"{killed / n:.1%}" if n else ""
            yield f"| {area} | {path} | {len(found)} | {n} | {killed} | {share} | {interval} |", killed < AT_LEAST * n


def _code(text: str) -> str:
    """As code in Markdown, whatever it holds."""
    text = text.strip() or "(nothing)"
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


if __name__ == "__main__":
    main()
