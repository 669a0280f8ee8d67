"""What comes before the curl of a finding, once: the target, a card and a token, in shell lines that run as printed."""

import shlex
from collections.abc import Iterable

from kycgate.runs.model import Run
from kycgate.target.curl import CARDS, token_body
from kycgate.target.exchange import RecordedExchange

_CARDS_A_RUN = 10_000
"""A run of seed n shows the cards from n times this on (`kycgate.specimens.deck`)."""
_READ = r"""sed -E 's/.*"token" *: *"([^"]*)".*/\1/'"""


def lines_before(run: Run, exchanges: Iterable[RecordedExchange]) -> list[str]:
    """The lines; without a token endpoint among the exchanges, the token is one of the reader's own keys."""
    path = next((exchange.path for exchange in exchanges if exchange.endpoint == "token"), "")
    last = "export KYCGATE_TOKEN='one of your keys'"
    if path:
        ask = f"""curl -sS "$KYCGATE_BASE_URL{path}" -H 'Content-Type: application/json' --data-binary {token_body()}"""
        last = f'export KYCGATE_TOKEN="$({ask} | {_READ})"'
    return [
        f"export KYCGATE_BASE_URL={shlex.quote(run.target)}",
        f"kycgate specimens --out {CARDS} --seed {run.seed * _CARDS_A_RUN + 1}",
        last,
    ]
