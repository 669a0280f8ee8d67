"""A `curl` that sends an exchange again, with secrets and personal values as $VARIABLES, and pictures as files."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from kycgate.contracts.models import FRONT_PROPERTIES
from kycgate.target.exchange import Exchange, Picture
from kycgate.target.oauth import TOKEN_NAME
from kycgate.target.requests import ESCAPED, token_body
from kycgate.target.route import Route

MAX_BODY = 4_000
MAX_RAW = 300
"""Bytes of a body that is not JSON from which on it is not printed."""
CARDS = "cards"
"""The folder that `kycgate specimens` has drawn a card into."""
_CREDENTIALS = {"tenantId": "KYCGATE_TENANT_ID", "tenantSecret": "KYCGATE_TENANT_SECRET"}
_WRONG = {"tenantId": "WRONG_TENANT_ID", "tenantSecret": "WRONG_TENANT_SECRET"}
_WRONG_CREDENTIAL = "WRONG_CREDENTIAL"
_GIVEN = frozenset({"KYCGATE_BASE_URL", "KYCGATE_TOKEN", *_CREDENTIALS.values()})
"""Variables that the lines before the first command give."""
_PLACE = "<a value>"
_OWN = "what this header takes"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_READ = frozenset(_HUMP.sub("_", name).upper() for name in FRONT_PROPERTIES)
_USED = re.compile(r"""(?:'"|" "|: (?:Bearer )?)\$([A-Z][A-Z0-9_]*)\"""")
"""A variable in the place of a body's text, or of a header's value: what else looks like one is sent as it stands."""
_HEADERS_LEFT_OUT = frozenset({"host", "content-length", "connection", "accept-encoding", "user-agent"})


def curl_for(exchange: Exchange, route: Route | None = None) -> str:
    """One shell command. An upload's picture is read from `cards/`; see `lines_to_fill` for its variables."""
    route = route or Route()
    ours = {name.lower() for name in route.headers}
    parts = ["curl", "-sS", "-i", *route.curl(), "-X", exchange.method, f'"$KYCGATE_BASE_URL{exchange.path}"']
    for name, value in exchange.request_headers.items():
        if (name.lower() in _HEADERS_LEFT_OUT and name.lower() not in ours) or name.lower() == "proxy-authorization":
            continue
        variable = next((given for own, given in route.variables.items() if own.lower() == name.lower()), "")
        if variable:
            parts += ["-H", f'"{name}: ${variable}"']
            continue
        if route.grant is not None and name.lower() == route.grant.header.lower():
            parts += ["-H", f'"{name}: Bearer ${TOKEN_NAME}"']
        elif name.lower() == "authorization" and not value:
            # With a colon curl would leave the header out.
            parts += ["-H", f'"{name};"']
        elif name.lower() == "authorization":
            parts += ["-H", f'"{name}: {_credential(value, own=exchange.own_credential)}"']
        elif name.lower() == "cookie":
            parts += ["-H", f'"{name}: $COOKIE"']
        else:
            parts += ["-H", shlex.quote(f"{name}: {value}")]
    body = exchange.request_body
    if exchange.picture is not None:
        return f"{_with_picture(exchange.picture, body)} | {' '.join(parts)} --data-binary @-"
    if not body:
        return " ".join(parts)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _with_raw(parts, body)
    if exchange.endpoint.startswith("token") and isinstance(value, dict):
        return " ".join([*parts, "--data-binary", _token_word(value, exchange.intent)])
    return " ".join([*parts, "--data-binary", _word(value, len(body))])


def lines_to_fill(curl: str, intent: str) -> list[str]:
    """The lines that give the variables of a command that `lines_before` does not: one for each way to fill them.

    `intent` is the exchange's: how the request differed from a legal one. The lines run as printed.
    """
    differs = f"; this request differs: {intent}" if intent != "legal" else ""
    wrong = dict.fromkeys(_WRONG.values(), f"wrong on purpose: {intent}")
    wrong[_WRONG_CREDENTIAL] = f"the header's whole value, wrong on purpose: {intent}"
    names: dict[str, list[str]] = {}
    for name in dict.fromkeys(_USED.findall(curl)):
        if name not in _GIVEN:
            how = (
                f"as the answers to the uploads gave it{differs}"
                if name in _READ
                else f"as the request shows: {intent}"
            )
            how = wrong.get(name, _OWN if name.startswith("KYCGATE_") else how)
            names.setdefault(how, []).append(f"{name}='…'")
    return [f"export {' '.join(given)} # {how}" for how, given in names.items()]


def word_for_token() -> str:
    """The legal body of a request for a token as a shell word; the shell puts the credentials in."""
    return _token_word(json.loads(token_body("-", "-", {})), "legal")


_WRAPPED = {
    "none": "base64 -w0 {}",
    "lf": r"base64 -w76 {} | sed ':a;N;$!ba;s/\n/\\n/g'",
    "crlf": r"base64 -w76 {} | sed ':a;N;$!ba;s/\n/\\r\\n/g'",
    ESCAPED: r"base64 -w0 {} | sed 's#/#\\/#g; s/+/\\u002b/g; s/=/\\u003d/g'",
}


def _with_picture(picture: Picture, body: bytes) -> str:
    """The command that prints an upload's body: the picture from its file, and what else was sent with it."""
    try:
        value = json.loads(body)
    except ValueError:
        value = {"image": ""}
    texts = {name: _variable(name) for name in value if isinstance(value[name], str) and _NAME.fullmatch(name)}
    texts["image"] = f"$({_WRAPPED[picture.wrapping].format(f'{CARDS}/card0000-{picture.side}.jpg')})"
    shown = json.dumps(value | dict.fromkeys(texts, _PLACE), separators=(", ", ":"))
    # To printf a backslash and a percent sign are its own.
    shown = shown.replace("\\", "\\\\").replace("%", "%%").replace(_PLACE, "%s")
    words = [f'"{word}"' if name == "image" else f'"${word}"' for name, word in texts.items()]
    return " ".join(["printf", shlex.quote(shown), *words])


def _variable(name: str) -> str:
    return _HUMP.sub("_", name).upper()


def _credential(value: str, *, own: bool) -> str:
    if not own:
        return f"${_WRONG_CREDENTIAL}"
    return "Bearer $KYCGATE_TOKEN" if value.startswith("Bearer ") else "$KYCGATE_TOKEN"


def _with_raw(parts: list[str], body: bytes) -> str:
    """The command with a body that is not JSON: as it is where it is short, and printable or not."""
    if len(body) > MAX_RAW:
        return " ".join([*parts, "--data-binary", shlex.quote(f"<{len(body)} bytes that are not JSON>")])
    text = body.decode("ascii", "replace")
    if text.isprintable() and text.isascii():
        return " ".join([*parts, "--data-binary", shlex.quote(text)])
    octal = "".join(f"\\{byte:03o}" for byte in body)
    return f"printf '{octal}' | {' '.join(parts)} --data-binary @-"


def _token_word(value: dict[str, Any], intent: str) -> str:
    """A token request's body as a shell word, its credentials from the environment; what was wrong stays wrong."""
    variables: dict[str, str] = {}
    for name, item in value.items():
        if name in _CREDENTIALS and isinstance(item, str) and item:
            wrong = {"tenantId": "unknown tenant", "tenantSecret": "the secret"}[name] in intent
            variables[name] = (_WRONG if wrong else _CREDENTIALS)[name]
    return _with_variables(value, variables)


def _word(value: object, size: int) -> str:
    """A step's body as a shell word, a variable in the place of each text in it."""
    if isinstance(value, dict):
        texts = [name for name, item in value.items() if isinstance(item, str) and item]
        variables = {name: _variable(name) for name in texts if _NAME.fullmatch(name)}
        word = _with_variables(value | {name: f"<{name}>" for name in texts}, variables)
    else:
        word = shlex.quote(json.dumps(value))
    return word if len(word) <= MAX_BODY else shlex.quote(f"<{size} bytes>")


def _with_variables(value: dict[str, Any], variables: Mapping[str, str]) -> str:
    """A JSON object as a shell word, with variables of the shell as the values of these properties."""
    word = shlex.quote(json.dumps(value | {name: f"<${variable}>" for name, variable in variables.items()}))
    for variable in variables.values():
        word = word.replace(f"<${variable}>", f"""'"${variable}"'""")
    return word
