"""Fuzzes every parser of ours: damaged inputs get one clear line, or a reading that they bear out.

    python benchmarks/fuzz.py --minutes 10 [--seed N] [--only NAME]

What is damaged and how: tests/suite/fuzz.py. A crash is printed with the seed that repeats it.
"""

import argparse
import os
import random
import sys

from kycgate.tests.suite.fuzz import fuzz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, help="repeat one round")
    parser.add_argument("--only", action="append", help="a kind of input; may be given again")
    chosen = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("KYCGATE_")]:
        del os.environ[name]
    seed = chosen.seed if chosen.seed is not None else random.randrange(2**31)
    inputs = fuzz(60 * chosen.minutes, seed, tuple(chosen.only or ()))
    for what, trace in inputs.wrong.items():
        print(f"WRONG {what}\n{trace}")
    if inputs.wrong:
        print(f"{len(inputs.wrong)} wrong; --seed {seed} repeats it")
        sys.exit(1)
    print("| input | damaged ones read | refused in one line |\n| --- | ---: | ---: |")
    for name, tried in inputs.tried.items():
        print(f"| {name} | {tried:,} | {inputs.refused[name]:,} |")
    print(
        f"\n{sum(inputs.tried.values()):,} damaged inputs, seed {seed}: no traceback, no verdict they do not bear out"
    )


if __name__ == "__main__":
    main()
