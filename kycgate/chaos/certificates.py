"""Certificates made on the spot, good and bad."""

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kycgate.errors import UsageError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Served:
    """What a TLS server needs, and the CA that a careful client may trust."""

    context: ssl.SSLContext
    ca_pem: bytes


def certificate(kind: str) -> Served:
    """`good`, `expired`, `wrong-host` or `self-signed`.

    Raises:
        UsageError: trustme is not installed.
    """
    try:
        import trustme
    except ModuleNotFoundError:
        raise UsageError("TLS misbehaviours make certificates: install trustme") from None
    ca = trustme.CA()
    now = datetime.now(UTC)
    if kind == "expired":
        leaf = ca.issue_cert(HOST, not_before=now - timedelta(days=9), not_after=now - timedelta(days=2))
    elif kind == "wrong-host":
        leaf = ca.issue_cert("another.example")
    else:
        leaf = ca.issue_cert(HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if kind == "self-signed":
        # A CA's own certificate, shown as a server's: it is signed by itself alone.
        with tempfile.TemporaryDirectory() as folder:
            chain = Path(folder) / "self.pem"
            chain.write_bytes(ca.private_key_pem.bytes() + ca.cert_pem.bytes())
            context.load_cert_chain(chain)
    else:
        leaf.configure_cert(context)
    return Served(context, ca.cert_pem.bytes())
