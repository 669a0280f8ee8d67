"""Whether drift tells a changed target from an unchanged one: every liberty of the sandbox, pinned and checked again.

    python benchmarks/drift.py [--every N] [--seeds 2] [--out docs/drift.md]

Each faithful variant is checked with several seeds: what the first has pinned, the others must repeat without drift.
Then each variant is held against the default's pins: each setting that differs must show as drift.
"""

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from kycgate.judging.drift import drift_since, pins_of
from kycgate.runs.model import Observed, Run
from kycgate.sandbox import SandboxSettings, variants
from kycgate.settings.profile import Profile
from kycgate.tests.suite.checks import checked

KEYS = 4
MORE: dict[str, tuple[SandboxSettings, int, Profile]] = {
    "token-life-15-min": (SandboxSettings(token_life_s=900), 0, Profile()),
    "largest-body-8-mb": (SandboxSettings(max_body=8_000_000), 0, Profile(find_image_limit=True)),
    "image-limit": (SandboxSettings(), 0, Profile(find_image_limit=True)),
    "fixed-keys": (SandboxSettings(), KEYS, Profile()),
    "fixed-keys-refused-after-completion": (SandboxSettings(key_after_completion="refused"), KEYS, Profile()),
}
"""Settings beyond the faithful variants, with how many fixed keys and with which profile they are checked."""
AGAINST = {
    "largest-body-8-mb": "image-limit",
    "fixed-keys-refused-after-completion": "fixed-keys",
    "image-limit": None,
    "fixed-keys": None,
    "default": None,
}
"""Which pins a variant is held against, where it is not the default's."""


@cache
def observed(name: str, seed: int) -> list[Observed]:
    """What one check of this variant has shown."""
    settings, keys, profile = MORE.get(name) or (variants()[name], 0, Profile())
    gate = checked(settings, seed, profile, keys=keys)
    return gate.behaviour.observed(gate.ledger.open_points())


def drifted(before: list[Observed], now: list[Observed]) -> list[str]:
    """The subjects that changed."""
    run = Run(command="check", verdict="kept", exit_code=0, embedded_sandbox=True, behaviour=before)
    return [item.subject for item in drift_since(pins_of([run], pinned=datetime.now(UTC).date()), now)[0]]


def table(names: list[str], seeds: int, say: Callable[[str], None]) -> tuple[list[str], int]:
    """The rows, and how many are wrong."""
    rows, wrong = [], 0
    for name in names:
        first = observed(name, 1)
        false = sorted({s for seed in range(2, seeds + 1) for s in drifted(first, observed(name, seed))})
        other = AGAINST.get(name, "default")
        changed = drifted(observed(other, 2), first) if other is not None else []
        wrong += bool(false) + (other is not None and not changed)
        shown = "; ".join(changed[:2]) + (f"; {len(changed) - 2} more" if len(changed) > 2 else "")
        against = f"{other}: {shown or 'nothing'}" if other is not None else ""
        rows.append(f"| {name} | {len(first)} | {len(false)} | {len(changed) if other else ''} | {against} |")
        say(rows[-1] + (f" FALSE: {false}" if false else ""))
    return rows, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take every Nth variant")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ.pop("KYCGATE_BASE_URL", None)
    names = [*variants(), *MORE][:: options.every]
    rows, wrong = table(names, options.seeds, lambda line: print(line, flush=True))
    text = "\n".join(
        [
            "# Drift",
            "",
            f"Printed by `python benchmarks/drift.py --seeds {options.seeds}`. Each variant of the sandbox is pinned",
            "with one seed and checked with others: nothing may have changed. Then it is held against the pins of the",
            "default (or of what it differs from): its setting must show.",
            "",
            "| variant | pinned answers | false drift between seeds | changed against another | which |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"{wrong} wrong in {len(names)} variants.",
            "",
        ]
    )
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(text if not options.out else f"{wrong} wrong in {len(names)} variants")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
