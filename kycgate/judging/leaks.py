"""What a refusal must not tell: internals of the server, and the credentials that were sent."""

import json
import re
from collections.abc import Iterator

from kycgate.judging.ledger import Observation
from kycgate.target.exchange import Exchange
from kycgate.text import theirs

# Each repetition is bounded: a hostile answer must not make the search look at all of it again and again.
INTERNALS = re.compile(
    r"""Traceback\ \(most\ recent\ call\ last\)
    | Object\ reference\ not\ set
    | \bat\ [\w.<>`+\[\]]{1,300}\([^)]{0,300}\)(\ in\ |\s{0,9}$|\s{1,9}at\ )
    | \.(?:cs|java|py|go|rb|php|ts|js):(?:line\ )?\d+
    | \bFile\ "[^"]{1,300}",\ line\ \d+
    | \b(?:System|Microsoft|Newtonsoft|java|javax|org|com)(?:\.\w{1,60}){1,9}(?:Exception|Error)\b
    | \b[A-Z]\w*Exception\b
    | \b(?:ValueError|TypeError|KeyError|IndexError|AttributeError|RuntimeError|NameError|ZeroDivisionError)\b
    | \bobject\ has\ no\ attribute\ ' | \bobject\ is\ not\ (?:subscriptable|iterable|callable)\b
    | \bCannot\ read\ propert(?:y|ies)\ of\ (?:undefined|null)\b | \bnil\ pointer\ dereference\b
    # What readers of JSON and of base64 say, each in its own very words: a sentence of a vendor is none.
    | \b(?:in|after)\ JSON\ at\ position\ \d | \b[Uu]nexpected\ end\ of\ JSON\ input\b
    | \bline\ \d{1,9}\ column\ \d{1,9}\ \(char\ \d
    | \binvalid\ character\ '[^']{1,9}'\ looking\ for\ beginning\ of\b
    | \binvalid\ character\ '[^']{1,9}'\ after\ (?:object\ key|array\ element|top-level)\b
    | \binvalid\ character\ '[^']{1,9}'\ in\ (?:literal\ \w|string\ literal|string\ escape\ code|numeric\ literal)
    | \bjson:\ cannot\ unmarshal\b | \bjson:\ unknown\ field\ \\?" | \bCannot\ deserialize\ (?:value|instance)\ of\b
    | \b[Ii]llegal\ base64\ (?:data\ at\ input\ byte\ \d|character\ [0-9a-f]{1,4}\b)
    | \bis\ not\ a\ valid\ Base-64\ string\ as\ it\ contains\b | \bInput\ string\ was\ not\ in\ a\ correct\ format\b
    # And runtimes, of a value that is not there or is of another type.
    | \bundefined\ method\ [`'][^'`]{1,80}'\ for\b | \bnil:NilClass\b | \binterface\ conversion:\ interface\b
    | \bUndefined\ (?:index:\ |offset:\ |array\ key\ \\?"|variable:?\ \$|property:\ ) | \(\):\ Argument\ \#\d{1,3}\ \(\$
    | \bCall\ to\ a\ member\ function\ \w{1,80}\(\)\ on\b | \bCannot\ invoke\ \\?"[\w.$()]{1,200}\\?"\ because\b
    | \bCannot\ (?:read\ field\ \\?"[\w.$]{1,200}\\?"|load\ from\ \w{1,20}\ array|throw\ exception)\ because\ \\?["\w<]
    | \bclass\ [\w.$]{1,200}\ cannot\ be\ cast\ to\ class\b | \bNo\ enum\ constant\ [\w.$]
    | \b[Ii]ndex\ -?\d{1,20}(?:,\ length:?\ |\ out\ of\ bounds\ for\ length\ )\d
    | \bFor\ input\ string:\ " | \bcould\ not\ be\ parsed\ at\ index\ \d | \[Source:\ \(
    | \bthrough\ reference\ chain: | \bInput\ byte\ array\ has\ (?:wrong|incorrect)\b
    | \bnested\ exception\ is\b | \bcould\ not\ execute\ (?:statement|query)\b
    | \bgoroutine\ \d+
    | \bORA-\d{5}\b | \bSQLSTATE\b | \bSqlClient\b | \bpsycopg | \bNpgsql
    | \bViolation\ of\ [A-Z ]{1,40}\ constraint\b | \bduplicate\ key\ value\ violates\b | \bdbo\.\w
    | \bString\ or\ binary\ data\ would\ be\ truncated\b | \bdeadlock\ victim\b
    | \b(?:SELECT|INSERT\ INTO|UPDATE|DELETE\ FROM)\b.{1,200}\b(?:FROM|VALUES|SET|WHERE)\b
    | \b(?:Password|Pwd|User\ Id|Data\ Source|Initial\ Catalog)\s*=
    | (?:[A-Za-z]:\\|/(?:app|usr|var|home|opt|srv)/)[\w./\\-]+
    """,
    re.VERBOSE | re.MULTILINE,
)

EXCEPTION = re.compile(
    r"\b(?:System|Microsoft|Newtonsoft|java|javax|org|com)(?:\.\w{1,60}){1,9}(?:Exception|Error)\b"
    r"|Object reference not set|Traceback \(most recent call last\)"
)
"""What no header of a refusal has by chance: paths and short words may stand there for other reasons."""

_SCHEME = re.compile(r"^\s*(?:bearer|basic|token)\b", re.IGNORECASE)


def _credentials_sent(exchange: Exchange) -> Iterator[str]:
    for name, value in exchange.request_headers.items():
        # The scheme's name is not a secret.
        credential = _SCHEME.sub("", value).strip()
        if name.lower() == "authorization" and len(credential) >= 5:
            yield credential
    if exchange.endpoint.startswith("token"):
        try:
            secret = json.loads(exchange.request_body).get("tenantSecret")
        except (ValueError, AttributeError):
            return
        if isinstance(secret, str) and len(secret) >= 3:
            yield secret


def judge_leak(exchange: Exchange) -> Iterator[Observation]:
    """Nothing of the server's inside, nor the credentials sent, may stand in a refusal."""
    text = exchange.answer_body.decode("utf-8", "replace")
    # An escaped text is searched as it reads, too.
    text = f"{text}\n{text.replace(chr(92) + 'n', chr(10)).replace(chr(92) + chr(34), chr(34))}"
    required = "a refusal without stack trace, internal exception, or the credentials sent"
    if found := INTERNALS.search(text):
        yield Observation("refusal.no-leak", False, required, f"it shows {theirs(repr(found[0].strip()[:80]))}", "body")
        return
    for name, value in exchange.answer_headers:
        if shown := EXCEPTION.search(value):
            came = f"it shows {theirs(repr(shown[0][:80]))}, in {theirs(name)}"
            yield Observation("refusal.no-leak", False, required, came, "a header")
            return
    for credential in _credentials_sent(exchange):
        header = next((name for name, value in exchange.answer_headers if credential in value), None)
        if credential in text or header is not None:
            where = "body" if credential in text else "a header"
            beside = f", in {theirs(header)}" if where != "body" and header else ""
            yield Observation("refusal.no-leak", False, required, f"it repeats the credentials sent{beside}", where)
            return
    yield Observation("refusal.no-leak", True)
