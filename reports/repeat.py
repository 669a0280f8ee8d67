"""What comes before the curl of a finding, once: the target, a card and a token, in shell lines that run as printed."""

import shlex
from collections.abc import Iterable

from kycgate.runs.clause import Finding
from kycgate.runs.model import Run
from kycgate.target.curl import CARDS, lines_to_fill, word_for_token
from kycgate.target.exchange import RecordedExchange

_READ = r"""sed -E 's/.*"token" *: *"([^"]*)".*/\1/'"""


def token_line(path: str) -> str:
    """The shell line that mints a session's token at this path."""
    post = f"""curl -sS "$KYCGATE_BASE_URL{path}" -H 'Content-Type: application/json'"""
    return f'export KYCGATE_TOKEN="$({post} --data-binary {word_for_token()} | {_READ})"'


def lines_before(run: Run, exchanges: Iterable[RecordedExchange]) -> list[str]:
    """The lines; without a token endpoint among the exchanges, the token is one of the reader's own keys."""
    path = next((exchange.path for exchange in exchanges if exchange.endpoint == "token"), "")
    last = "export KYCGATE_TOKEN='one of your keys'"
    if path:
        last = token_line(path)
    return [
        f"export KYCGATE_BASE_URL={shlex.quote(run.target)}",
        f"kycgate specimens --out {CARDS} --seed {run.seed}",
        last,
    ]


def to_fill(finding: Finding) -> str:
    """The lines that give the variables of a finding's own command, each with a word on how."""
    return "\n".join(lines_to_fill(finding.curl, finding.exchange.intent if finding.exchange else "legal"))
