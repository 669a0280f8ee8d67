"""A connection to the target, through a proxy where there is one."""

import socket
from collections.abc import Callable

from kycgate.target.blame import ProxyAway, ProxyRefuses
from kycgate.target.proxy import Proxy

MAX_HEAD = 16_384
Dial = Callable[[tuple[str, int], float], socket.socket]


def dial(
    host: str,
    port: int,
    timeout_s: float,
    proxy: Proxy | None,
    *,
    tunnel: bool,
    create: Dial = socket.create_connection,
) -> socket.socket:
    """A socket to the target; with a proxy one to that or, with `tunnel`, through it by CONNECT.

    Raises:
        ProxyAway: no connection to the proxy.
        ProxyRefuses: it does not let us through.
        OSError: no connection.
    """
    if proxy is None:
        return create((host, port), timeout_s)
    failure = ""
    try:
        made = create((proxy.host, proxy.port), timeout_s)
    except OSError as error:
        failure = error.strerror or str(error) or type(error).__name__
    if failure:
        # Outside the handler: the error must not look like the target's.
        raise ProxyAway(f"{proxy.host}:{proxy.port}: {failure}")
    try:
        if tunnel:
            _connect(made, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", proxy)
    except BaseException:
        made.close()
        raise
    return made


def _connect(made: socket.socket, authority: str, proxy: Proxy) -> None:
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    made.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    head = bytearray()
    # Byte by byte: what follows is the target's.
    while not head.endswith(b"\r\n\r\n") and len(head) < MAX_HEAD:
        part = made.recv(1)
        if not part:
            break
        head += part
    said = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")[2].strip()
    if not said.startswith("2"):
        raise ProxyRefuses(said[:80] or "it closed the connection")
