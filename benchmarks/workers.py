"""Do two local workers give the percentiles of one? The same arrivals, the same answers, one process and then two.

    python benchmarks/workers.py --out docs/workers.md

The target takes seconds to answer (a seeded lognormal time, drawn in the order of arrival), so that what differs
between two runs of one machine, a millisecond or so, is less than a cell of the histograms: what is left is adding up.
"""

import argparse
import importlib.metadata
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from honesty import Target
from pydantic import SecretStr

from kycgate.load import LoadPlan, Topology, run_load
from kycgate.settings.profile import Secrets

PRECISION = 0.001
"""Of a histogram with three significant digits."""
CLOCKS = ("response", "service", "thinking")


def measured(rate: float, seconds: float, seed: int, processes: int) -> dict[str, list[float]]:
    """Our percentiles of the front's upload, by clock, in ms.

    Raises:
        SystemExit: the run is void.
    """
    with Target("slow", seed) as target, tempfile.TemporaryDirectory() as folder:
        plan = LoadPlan(base_url=target.url, rate=rate, duration_s=seconds, seed=seed, out_of_turn=0)
        secrets = Secrets(tenant_id="t", tenant_secret=SecretStr("s"))
        outcome = run_load(plan, secrets, Path(folder), topology=Topology(processes=processes))
    if outcome.void:
        raise SystemExit(f"the run is void: {outcome.void}")
    found = {latency.clock: latency for latency in outcome.result.latencies if latency.name == "upload_front"}
    return {
        clock: [getattr(found[clock], name) for name in ("p50", "p90", "p95", "p99", "p999", "max")] for clock in CLOCKS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("kycgate-out/workers.md"))
    parser.add_argument("--rate", type=float, default=25.0, help="onboardings a second")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each run")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    one, two = (measured(chosen.rate, chosen.seconds, chosen.seed, processes) for processes in (1, 2))
    names = ["p50", "p90", "p95", "p99", "p99.9", "max"]
    lines = [
        "# Two workers, and one",
        "",
        f"Printed by `benchmarks/workers.py` on {datetime.now(UTC):%Y-%m-%d}: {chosen.rate:g} onboardings/s for",
        f"{chosen.seconds:g} s each; kycgate {importlib.metadata.version('kycgate')},",
        f"Locust {importlib.metadata.version('locust')}, Python {platform.python_version()}. UploadFrontImage, ms.",
        "",
        f"| clock | workers | {' | '.join(names)} |",
        "| --- | --- " + "| --- " * len(names) + "|",
    ]
    apart = 0.0
    for clock in CLOCKS:
        for count, values in ((1, one[clock]), (2, two[clock])):
            lines.append(f"| {clock} | {count} | {' | '.join(f'{value:.1f}' for value in values)} |")
        differences = [abs(b / a - 1) for a, b in zip(one[clock], two[clock], strict=True)]
        lines.append(f"| {clock} | apart | {' | '.join(f'{difference:.3%}' for difference in differences)} |")
        apart = max(apart, *differences)
    lines += ["", f"At most {apart:.3%} apart; the histograms' precision is {PRECISION:.1%}."]
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    raise SystemExit(apart > PRECISION)


if __name__ == "__main__":
    main()
