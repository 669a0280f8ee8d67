"""Does the generator's memory stay flat? Its slope over a run at full rate, drawn out to an hour.

    python benchmarks/memory.py --out docs/memory.md

Resident memory of the generator's process and of the one that adds up is read each second while a fast target answers.
The slope is Theil's and Sen's over the run without its first quarter, in which pools and caches fill.
"""

import argparse
import importlib.metadata
import platform
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
from honesty import Target
from pydantic import SecretStr

from kycgate.load import LoadPlan, run_load
from kycgate.load.sizes import theil_sen
from kycgate.settings.profile import Secrets

WARMING = 0.25
LIMIT_MB_AN_HOUR = 50.0


def watch(samples: list[tuple[float, float, float]], over: threading.Event) -> None:
    """Seconds, and megabytes of the generator and of this process, once a second."""
    me, began = psutil.Process(), time.monotonic()
    while not over.wait(1):
        children = [child for child in me.children() if "kycgate.load.worker" in " ".join(child.cmdline())]
        if children:
            samples.append((time.monotonic() - began, children[0].memory_info().rss / 1e6, me.memory_info().rss / 1e6))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/memory.md"))
    parser.add_argument("--rate", type=float, default=60.0, help="onboardings a second")
    parser.add_argument("--seconds", type=float, default=240.0)
    chosen = parser.parse_args()
    samples: list[tuple[float, float, float]] = []
    over = threading.Event()
    watching = threading.Thread(target=watch, args=(samples, over))
    with Target("fast", 1) as target, tempfile.TemporaryDirectory() as folder:
        watching.start()
        plan = LoadPlan(base_url=target.url, rate=chosen.rate, duration_s=chosen.seconds, poisson=True, seed=1)
        outcome = run_load(plan, Secrets(tenant_id="t", tenant_secret=SecretStr("s")), Path(folder))
        over.set()
        watching.join()
    if outcome.void:
        raise SystemExit(f"the run is void: {outcome.void}")
    steady = samples[int(len(samples) * WARMING) :]
    seconds = [at for at, _, _ in steady]
    lines = [
        "# Memory under load",
        "",
        f"Printed by `benchmarks/memory.py` on {datetime.now(UTC):%Y-%m-%d}: {outcome.requests:,} requests,",
        f"{chosen.rate:g} onboardings/s for {chosen.seconds:g} s; kycgate {importlib.metadata.version('kycgate')},",
        f"Python {platform.python_version()}. The target is under {LIMIT_MB_AN_HOUR:g} MB an hour for both together.",
        "",
        "| process | MB at first | MB at last | MB an hour (95% interval) |",
        "| --- | --- | --- | --- |",
    ]
    total = 0.0
    for column, name in ((1, "generator"), (2, "the command, which adds up and judges")):
        values = [sample[column] for sample in steady]
        slope, low, high, _ = theil_sen(seconds, values)
        total += slope * 3_600
        interval = f"{slope * 3_600:.1f} ({low * 3_600:.1f} to {high * 3_600:.1f})"
        lines.append(f"| {name} | {values[0]:.1f} | {values[-1]:.1f} | {interval} |")
    lines += ["", f"Together {total:.1f} MB an hour."]
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    raise SystemExit(total > LIMIT_MB_AN_HOUR)


if __name__ == "__main__":
    main()
