"""Run by test_store.py: forks writers to one store and kills them at seeded moments.

    store_killer.py STORE SEED ROUNDS SECONDS

Each writer lives for up to SECONDS. Prints the ids of the probes that were acknowledged, one a line. A process of its
own, since it forks.
"""

import os
import random
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from kycgate.probing import open_store
from kycgate.probing.probe import Probe, ProbeStep

STEPS = ("upload_front", "upload_back", "approve_front", "approve_back")


def a_probe(number: int, name: str) -> Probe:
    return Probe(
        id=name,
        started_at=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=number),
        target="http://127.0.0.1:1",
        verdict="kept",
        reason="x" * 200,
        timeout_s=60,
        steps=tuple(ProbeStep(step=step, status=200, response_us=number, service_us=number) for step in STEPS),
    )


def write_until_killed(where: str, writer: str, acknowledged: int) -> None:
    number = 0
    with suppress(Exception), open_store(where, create=True) as store:
        while True:
            number += 1
            name = f"{writer}-{number}"
            store.append(a_probe(number, name))
            os.write(acknowledged, f"{name}\n".encode())


def main(where: str, seed: int, rounds: int, longest_s: float) -> None:
    rng = random.Random(seed)
    with suppress(Exception):
        open_store(where).close()  # what is imported on first use is imported before the forks
    for at in range(rounds):
        children = []
        for writer in range(2):
            child = os.fork()
            if child == 0:
                write_until_killed(where, f"{at}-{writer}", sys.stdout.fileno())
                os._exit(1)
            children.append(child)
        for child in children:
            # From before the file is there to in the midst of many commits.
            time.sleep(rng.uniform(0, longest_s))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
