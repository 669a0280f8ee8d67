"""A small SLA policy judged by exact statistics: what `kycgate verify` says beside the clauses.

Shares: Clopper and Pearson (1934), exact binomial bounds. Percentiles: order statistics (David and Nagaraja, Order
Statistics, 2003, section 7.1), which assume no distribution. The confidence is shared out over the objectives
(Bonferroni), so that the family's error is what was promised.
"""

import math
from collections.abc import Sequence

from scipy.stats import beta, binom

from kycgate.run import ObjectiveResult

_SHARE_SOURCE = "Clopper and Pearson 1934"
_PERCENTILE_SOURCE = "David and Nagaraja 2003, 7.1"


def share_bounds(good: int, n: int, confidence: float) -> tuple[float, float]:
    """One-sided lower and upper confidence bounds of a share, each at `confidence`."""
    miss = 1 - confidence
    low = float(beta.ppf(miss, good, n - good + 1)) if good else 0.0
    high = float(beta.ppf(1 - miss, good + 1, n - good)) if good < n else 1.0
    return low, high


def share_samples_needed(share: float, confidence: float) -> int:
    """Samples without a failure from which `share` is shown: n with share**n <= 1 - confidence."""
    return math.ceil(math.log(1 - confidence) / math.log(share))


def percentile_bounds(values: Sequence[float], q: float, confidence: float) -> tuple[float, float]:
    """One-sided lower and upper bounds of the `q` quantile, each at `confidence`; infinite where too few samples."""
    ordered = sorted(values)
    n = len(ordered)
    # The k-th smallest value lies above the quantile with probability P(Binomial(n, q) < k).
    upper = int(binom.ppf(confidence, n, q)) + 1
    lower = int(binom.ppf(1 - confidence, n, q))
    high = ordered[upper - 1] if upper <= n and binom.cdf(upper - 1, n, q) >= confidence else math.inf
    low = ordered[lower - 1] if lower >= 1 else -math.inf
    return low, high


def judge_share(id: str, sentence: str, good: int, n: int, limit: float, confidence: float) -> ObjectiveResult:  # noqa: A002
    """Whether at least `limit` of all are good."""
    low, high = share_bounds(good, n, confidence) if n else (0.0, 1.0)
    verdict = "holds" if low >= limit else "broken" if high < limit else "not enough evidence"
    needed = max(share_samples_needed(limit, confidence) - n, 1) if verdict == "not enough evidence" else None
    return ObjectiveResult(
        id=id,
        sentence=sentence,
        verdict=verdict,
        measured=f"{good / n:.2%}" if n else "nothing measured",
        limit=f"at least {limit:.2%}",
        interval=f"{low:.2%} to {high:.2%}",
        confidence=confidence,
        samples=n,
        needed=needed,
        method="exact binomial bounds, one-sided",
        source=_SHARE_SOURCE,
    )


def judge_percentile(
    id: str,  # noqa: A002
    sentence: str,
    values_ms: Sequence[float],
    q: float,
    limit_ms: float,
    confidence: float,
) -> ObjectiveResult:
    """Whether the `q` quantile is at most `limit_ms`."""
    n = len(values_ms)
    low, high = percentile_bounds(values_ms, q, confidence) if n else (-math.inf, math.inf)
    verdict = "holds" if high <= limit_ms else "broken" if low > limit_ms else "not enough evidence"
    needed = max(share_samples_needed(q, confidence) - n, 1) if verdict == "not enough evidence" else None
    measured = sorted(values_ms)[math.ceil(q * n) - 1] if n else math.nan
    return ObjectiveResult(
        id=id,
        sentence=sentence,
        verdict=verdict,
        measured=f"{measured:.1f} ms" if n else "nothing measured",
        limit=f"at most {limit_ms:g} ms",
        interval=f"{_bound(low)} to {_bound(high)} ms",
        confidence=confidence,
        samples=n,
        needed=needed,
        method="order statistics, one-sided",
        source=_PERCENTILE_SOURCE,
    )


def _bound(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "unknown"


AVAILABILITY, CORRECTNESS, UPLOAD_P95_MS = 0.95, 0.95, 5_000.0
FAMILY_CONFIDENCE = 0.95


def judge_small_policy(
    *, requests: int, unavailable: int, wrong: int, upload_response_ms: Sequence[float]
) -> list[ObjectiveResult]:
    """Availability, correctness and upload p95 of one load run."""
    confidence = 1 - (1 - FAMILY_CONFIDENCE) / 3
    answered = requests - unavailable
    return [
        judge_share(
            "availability", "Requests are answered without 5xx, time-out or broken connection.",
            answered, requests, AVAILABILITY, confidence,
        ),
        judge_share("correctness", "Answers keep the contract.", answered - wrong, answered, CORRECTNESS, confidence),
        judge_percentile(
            "upload-p95", "95% of uploads are answered in time, counted from when they were due.",
            upload_response_ms, 0.95, UPLOAD_P95_MS, confidence,
        ),
    ]  # fmt: skip
