"""A `curl` that sends an exchange again, with secrets as $VARIABLES and pictures as files."""

import json
import shlex

from kycgate.target.exchange import Exchange
from kycgate.target.oauth import TOKEN_NAME
from kycgate.target.route import Route

MAX_BODY = 4_000
_HEADERS_LEFT_OUT = frozenset({"host", "content-length", "connection", "accept-encoding", "user-agent"})


def curl_for(exchange: Exchange, route: Route | None = None) -> str:
    """One shell command. An upload's picture is read from `card.jpg`; personal values stand as placeholders."""
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
        return f"""printf '{{"image":"%s"}}' "$({command} card.jpg{breaks})" | {" ".join(parts)} --data-binary @-"""
    if body:
        parts += ["--data-binary", shlex.quote(_placeholder(exchange.endpoint, body))]
    return " ".join(parts)


def _credential(value: str) -> str:
    return "Bearer $KYCGATE_TOKEN" if value.startswith("Bearer ") else "$KYCGATE_TOKEN" if value else ""


def _placeholder(endpoint: str, body: bytes) -> str:
    """The body with each string value replaced by its property's name, or a note that it was no JSON."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return f"<{len(body)} bytes that are no JSON, see exchanges.ndjson>"
    if isinstance(value, dict):
        secret = endpoint.startswith("token")
        value = {
            key: (f"${key}" if secret else f"<{key}>") if isinstance(item, str) and item else item
            for key, item in value.items()
        }
    text = json.dumps(value)
    return text if len(text) <= MAX_BODY else f"<{len(body)} bytes>"
