"""A `curl` that sends an exchange again, with secrets as $VARIABLES and pictures as files."""

import json
import shlex
from typing import Any

from kycgate.target.exchange import Exchange
from kycgate.target.oauth import TOKEN_NAME
from kycgate.target.requests import token_body
from kycgate.target.route import Route

MAX_BODY = 4_000
MAX_RAW = 300
"""Bytes of a body that is not JSON from which on it is not printed."""
CARDS = "cards"
"""The folder that `kycgate specimens` has drawn a card into."""
_CREDENTIALS = {"tenantId": "KYCGATE_TENANT_ID", "tenantSecret": "KYCGATE_TENANT_SECRET"}
_HEADERS_LEFT_OUT = frozenset({"host", "content-length", "connection", "accept-encoding", "user-agent"})


def curl_for(exchange: Exchange, route: Route | None = None) -> str:
    """One shell command. An upload's picture is read from `cards/`; personal values stand as placeholders."""
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
        elif name.lower() == "authorization":
            parts += ["-H", f'"{name}: {_credential(value)}"']
        else:
            parts += ["-H", shlex.quote(f"{name}: {value}")]
    body = exchange.request_body
    if exchange.picture is not None:
        command = {"none": "base64 -w0", "lf": "base64 -w76"}.get(exchange.picture.wrapping, "base64 -w0")
        breaks = "" if exchange.picture.wrapping == "none" else r""" | sed ':a;N;$!ba;s/\n/\\n/g'"""
        card = f"{CARDS}/card0000-{exchange.picture.side}.jpg"
        return f"""printf '{{"image":"%s"}}' "$({command} {card}{breaks})" | {" ".join(parts)} --data-binary @-"""
    if not body:
        return " ".join(parts)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _with_raw(parts, body)
    if exchange.endpoint.startswith("token") and isinstance(value, dict):
        return " ".join([*parts, "--data-binary", _with_variables(value, exchange.intent)])
    return " ".join([*parts, "--data-binary", shlex.quote(_placeholder(value, len(body)))])


def word_for_token() -> str:
    """The legal body of a request for a token as a shell word; the shell puts the credentials in."""
    return _with_variables(json.loads(token_body("-", "-", {})), "legal")


def _credential(value: str) -> str:
    return "Bearer $KYCGATE_TOKEN" if value.startswith("Bearer ") else "$KYCGATE_TOKEN" if value else ""


def _with_raw(parts: list[str], body: bytes) -> str:
    """The command with a body that is not JSON: as it is where it is short, and printable or not."""
    if len(body) > MAX_RAW:
        return " ".join([*parts, "--data-binary", shlex.quote(f"<{len(body)} bytes that are not JSON>")])
    text = body.decode("ascii", "replace")
    if text.isprintable() and text.isascii():
        return " ".join([*parts, "--data-binary", shlex.quote(text)])
    octal = "".join(f"\\{byte:03o}" for byte in body)
    return f"printf '{octal}' | {' '.join(parts)} --data-binary @-"


def _with_variables(value: dict[str, Any], intent: str) -> str:
    """A token request's body as a shell word, its credentials from the environment."""
    given = {name: _mark(name, item, intent) for name, item in value.items()}
    word = shlex.quote(json.dumps(given))
    for variable in _CREDENTIALS.values():
        word = word.replace(f"<{variable}>", f"""'"${variable}"'""")
    return word


def _mark(name: str, item: object, intent: str) -> object:
    """What stands for a credential until the shell word is made; what the request had wrong stays wrong."""
    if name not in _CREDENTIALS or not isinstance(item, str) or not item:
        return item
    wrong = {"tenantId": "unknown tenant", "tenantSecret": "the secret"}[name] in intent
    return "wrong" if wrong else f"<{_CREDENTIALS[name]}>"


def _placeholder(value: object, size: int) -> str:
    """The body with each string value replaced by its property's name."""
    if isinstance(value, dict):
        value = {key: f"<{key}>" if isinstance(item, str) and item else item for key, item in value.items()}
    text = json.dumps(value)
    return text if len(text) <= MAX_BODY else f"<{size} bytes>"
