"""One definition of a percentile: whatever a run says of one agrees with a plain sort."""

import math
import random
from array import array
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram

from kycgate.load import LoadPlan
from kycgate.load.capacity import _p95
from kycgate.load.collect import Collector, Second
from kycgate.load.interval import Interval, pack
from kycgate.load.sizes import size_points
from kycgate.runs.percentile import percentile_us, rank_of
from kycgate.sla.histograms import counts_of, edges, quantile_us
from kycgate.sla.latency import figures_of, histogram_of

ROOT = Path(__file__).parents[3]
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9}


def sorted_us(values: list[int], percentile: float) -> int:
    """The smallest value with at least this share at or below it, found by counting."""
    return next(v for v in sorted(values) if sum(other <= v for other in values) >= len(values) * percentile / 100)


def of_cell(value_us: int) -> float:
    """The highest value of its cell: what a histogram can tell of it."""
    return float(next(high for low, high in zip(*edges(), strict=True) if low <= value_us <= high))


@pytest.mark.parametrize("samples", [1, 2, 9, 10, 19, 20, 21, 59, 80, 99, 100, 101, 333])
def test_every_percentile_of_a_run_is_that_of_a_plain_sort(samples: int, tmp_path: Path) -> None:
    values = [random.Random(samples).randrange(1_000, 200_000) for _ in range(samples)]
    seconds: list[Second] = []
    collector = Collector(LoadPlan(base_url="http://x", rate=1, duration_s=1), 1, tmp_path / "l", seconds.append)
    packed = pack(array("I", values))
    collector.add(Interval(second=0, values={"upload_front response": packed}, last=True, due=samples))
    collector.close()
    outcome = collector.outcome()
    (latency,) = outcome.result.latencies
    (point,) = outcome.result.series
    histogram = histogram_of(values)
    kept = HdrHistogram.decode(histogram.encode())
    for name, percentile in PERCENTILES.items():
        true = of_cell(sorted_us(values, percentile))
        assert getattr(latency, name) * 1e3 == pytest.approx(true)
        assert getattr(point, name, true / 1e3) * 1e3 == pytest.approx(true)
        assert figures_of(counts_of(histogram))[name] * 1e3 == pytest.approx(true)
        assert quantile_us(counts_of(histogram), percentile / 100) == true
        assert percentile_us(histogram, percentile) == percentile_us(kept, percentile) == true
        assert collector.percentile_ms(["upload_front"], "response", percentile) * 1e3 == pytest.approx(true)
    assert _p95(outcome) * 1e3 == pytest.approx(of_cell(sorted_us(values, 95)))
    (size,) = size_points([(1_000, value / 1e3, value / 1e3) for value in values])
    assert (size.p50, size.thinking_p50) == (sorted_us(values, 50) / 1e3,) * 2
    assert size.p95 == sorted_us(values, 95) / 1e3


def test_p99_of_80_samples_is_the_largest() -> None:
    """Rounded to the nearest rank it would be the 79th value."""
    assert rank_of(0.99, 80) == 80
    assert percentile_us(histogram_of([1_000] * 79 + [90_000]), 99) == of_cell(90_000)


def test_ranks_do_not_stumble_over_floating_point() -> None:
    for samples in range(1, 400):
        for thousandths in range(1, 1_000):
            assert rank_of(thousandths / 1_000, samples) == max(math.ceil(thousandths * samples / 1_000), 1)


def test_nothing_measured_is_zero() -> None:
    assert percentile_us(HdrHistogram(1, 120_000_000, 3), 50) == 0


def test_no_other_code_asks_a_histogram_for_a_percentile() -> None:
    own = ("kycgate", "load", "reports", "contracts")
    files = [path for room in own for path in (ROOT / room).rglob("*.py") if path.name != "percentile.py"]
    assert not [path for path in files if "get_value_at_percentile" in path.read_text(encoding="utf-8")]
