"""How often the sandbox's OCR reads each field as it is printed, by what is wrong with the photo.

    python benchmarks/ocr_accuracy.py --people 60 --out docs/ocr.md

Cards of people whose seeds nothing else uses are drawn, degraded, read by `kycgate.specimens.ocr`, and compared with
their truth by `kycgate.judging.readings`. Accuracies are of the pictures that were read; intervals are exact (Clopper
and Pearson 1934), 95%, two-sided.
"""

import argparse
import importlib.metadata
import os
import platform
import statistics
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from kycgate.judging.readings import Readings
from kycgate.sla.objectives import share_bounds
from kycgate.specimens import Degradation, draw, make_person
from kycgate.specimens.ocr import read_print, tessdata, warm_up

FIRST_SEED = 5_000
CASES = (("none", 0.0), *((how, strength) for how in Degradation for strength in (0.1, 0.2, 0.4)))
SHOWN = {
    "front": ("idNumber", "firstName", "familyName", "fullName", "address", "state", "documentNumber", "birthdate"),
    "back": ("idNumberBack", "issueDate", "expirationDate", "profession", "gender", "religion", "maritalStatus"),
}


def read_one(seed: int, side: str, how: str, strength: float) -> tuple[dict[str, str] | None, dict[str, str], float]:
    """A card's reading, its truth, and the seconds of processor that it took."""
    degradation = None if how == "none" else Degradation(how)
    drawn = draw(make_person(seed), side, degradation=degradation, strength=strength)
    begun = time.process_time()
    return read_print(drawn.image, side), dict(drawn.truth), time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/ocr.md"))
    chosen = parser.parse_args()
    tessdata()
    readings: dict[str, Readings] = {"front": Readings(), "back": Readings()}
    refused: dict[tuple[str, str], int] = defaultdict(int)
    seconds: list[float] = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), initializer=warm_up) as pool:
        jobs = [
            (case, side, pool.submit(read_one, FIRST_SEED + number, side, *case))
            for case in CASES
            for side in readings
            for number in range(chosen.people)
        ]
        for (how, strength), side, job in jobs:
            reading, truth, took = job.result()
            name = f"{how} {strength:g}" if strength else how
            seconds.append(took)
            if reading is None:
                refused[side, name] += 1
            else:
                readings[side].add(reading, truth, name)
    text = _page(chosen.people, readings, refused, seconds)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(text, encoding="utf-8")
    print(text)


def _page(people: int, readings: dict[str, Readings], refused: dict[tuple[str, str], int], seconds: list[float]) -> str:
    import tesserocr

    ms = [1e3 * took for took in seconds]
    cuts = statistics.quantiles(ms, n=20)
    lines = [
        "# What the sandbox's OCR reads",
        "",
        f"Printed by `benchmarks/ocr_accuracy.py --people {people}` on {datetime.now(UTC):%Y-%m-%d};",
        f"{tesserocr.tesseract_version().splitlines()[0]}, tesserocr {importlib.metadata.version('tesserocr')},",
        f"Python {platform.python_version()}.",
        "",
        "Share of fields read as they are printed, among the pictures that were read at all, with its exact interval",
        "(Clopper and Pearson, 95%). A picture is refused, as a vendor would, when its number cannot be made out.",
        "A strength of 1 would be unreadable. What counts as the same: `kycgate/judging/readings.py`.",
        "",
        f"Reading a side takes {statistics.median(ms):.0f} ms of one core (median;",
        f"{cuts[0]:.0f} to {cuts[-1]:.0f} ms from the 5th to the 95th percentile).",
    ]
    for side, fields in SHOWN.items():
        results = {(r.degradation, r.field): r for r in readings[side].results()}
        lines += ["", f"## The {side}", ""]
        lines += [f"| photo | refused | {' | '.join(fields)} |", "| --- |" + " ---: |" * (len(fields) + 1)]
        for how, strength in CASES:
            name = f"{how} {strength:g}" if strength else how
            cells = [_share(results.get((name, field))) for field in fields]
            lines.append(f"| {name} | {refused[side, name]} of {people} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _share(result: Any) -> str:
    if result is None:
        return ""
    low = share_bounds(result.right, result.total, 0.975)[0]
    high = share_bounds(result.right, result.total, 0.975)[1]
    return f"{result.right / result.total:.0%} ({100 * low:.0f} to {100 * high:.0f})"


if __name__ == "__main__":
    main()
