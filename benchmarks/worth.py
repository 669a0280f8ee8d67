"""What each contract test is worth: the requests it costs, the faults it finds, and those that no other test finds.

    python benchmarks/worth.py [--every N] [--resume] [--work worth.json] [--out docs/worth.md]

Each fault of the sandbox meets one whole check. A test finds it where a request of its own breaks the fault's clause.
What the first session shows before any test, and what only all requests of a run show together (a date that is wrong
on every card), stands in a row of its own. Requests and uploads are those of a check of the sandbox without a fault.
A test that finds nothing alone may still be needed: for targets that are not the sandbox.
"""

import argparse
import json
import multiprocessing
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from kycgate.check.prove import checked, versions
from kycgate.contracts.flows import flow
from kycgate.files import write_atomically
from kycgate.processes import end_with_parent
from kycgate.sandbox import FAULTS

WHOLE = "preflight, or the run as a whole"


def function_of(test: str) -> str:
    """The test's name without its parameters."""
    return test.partition("[")[0] or WHOLE


def found_by(fault: str) -> list[str]:
    """The tests that break the clause of `fault`, by name."""
    tests = checked(faults=(fault,)).gate.ledger.broken_by(FAULTS.load()[fault].clause)
    return sorted({function_of(test) for test in tests})


def costs() -> tuple[Counter[str], Counter[str]]:
    """Requests, and uploads among them, of each test of a check without a fault."""
    requests, uploads = Counter[str](), Counter[str]()
    for exchange in checked().gate.recorded:
        step = flow().get(exchange.endpoint)
        requests[function_of(exchange.test)] += 1
        uploads[function_of(exchange.test)] += step is not None and step.is_upload
    return requests, uploads


def markdown(found: Mapping[str, list[str]], requests: Mapping[str, int], uploads: Mapping[str, int]) -> str:
    """The table; `found` gives the tests by fault."""
    by_test, alone = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for fault, tests in sorted(found.items()):
        for test in tests:
            by_test[test].append(fault)
            if len(tests) == 1:
                alone[test].append(fault)
    rows = [
        f"| {test} | {requests.get(test, 0)} | {uploads.get(test, 0)} | {len(by_test[test])} | {len(alone[test])} "
        f"| {', '.join(alone[test][:3])}{' …' if len(alone[test]) > 3 else ''} |"
        for test in sorted({*requests, *by_test}, key=lambda test: (-len(alone[test]), -len(by_test[test]), test))
    ]
    idle = [test for test in requests if not by_test[test]]
    missed = sorted(fault for fault, tests in found.items() if not tests)
    several = sum(len(tests) > 1 for tests in found.values())
    said = f"{len(found)} faults: {several} found by several tests, {len(found) - several - len(missed)} by one alone, "
    said += f"{len(missed)} by none{_listed(missed)}."
    return "\n".join(
        [
            "# What each test is worth",
            "",
            f"Printed by `python benchmarks/worth.py`. {versions()}",
            "",
            *(__doc__ or "").strip().splitlines()[4:],
            "",
            "| test | requests | of them uploads | faults found | found by it alone | for example |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"{said} {len(idle)} of {len(requests)} tests find none of these faults{_listed(idle)}.",
            "",
        ]
    )


def _listed(names: list[str]) -> str:
    return f": {', '.join(names)}" if names else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take every Nth fault")
    parser.add_argument("--resume", action="store_true", help="go on with what --work holds")
    parser.add_argument("--work", type=Path, default=Path("worth.json"), help="kept after each fault")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, list[str]] = {}
    if options.resume and options.work.exists():
        found = json.loads(options.work.read_text(encoding="utf-8"))
    names = [*FAULTS.load()][:: options.every]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context, initializer=end_with_parent) as pool:
        futures = {pool.submit(found_by, name): name for name in names if name not in found}
        for future in as_completed(futures):
            found[futures[future]] = future.result()
            print(f"{futures[future]}: {', '.join(future.result()) or 'not found'}", flush=True)
            write_atomically(options.work, json.dumps(found, indent=1))
    text = markdown({name: found[name] for name in names}, *costs())
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
