"""A client certificate and its key in one PKCS#12 file (RFC 7292): Python's ssl reads PEM files alone."""

import secrets
import ssl
import tempfile
from pathlib import Path

from kycgate.errors import UsageError
from kycgate.files import read

SUFFIXES = (".p12", ".pfx")


def is_pkcs12(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in SUFFIXES


def show_pkcs12(context: ssl.SSLContext, path: Path, password: str | None) -> None:
    """Have `context` show the certificate of that file. Its key touches the disk encrypted, and for a moment alone.

    Raises:
        UsageError: the extra is not installed.
        OSError: the file cannot be read.
        ValueError: it is not PKCS#12, its passphrase is another, or it lacks a certificate or a key.
    """
    try:
        # An extra: PEM needs none of it.
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            PrivateFormat,
            pkcs12,
        )
    except ImportError:
        raise UsageError(
            f"the client certificate {path} is PKCS#12, which takes the extra: install kycgate[pkcs12], or make a PEM "
            f"file of it: openssl pkcs12 -in {path.name} -out client.pem"
        ) from None
    found = pkcs12.load_pkcs12(read(path), password.encode() if password else None)
    if found.key is None or found.cert is None:
        raise ValueError("the file holds no certificate with its key")
    word = secrets.token_bytes(32).hex()
    key = found.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(word.encode()))
    chain = [found.cert, *found.additional_certs]
    with tempfile.NamedTemporaryFile(prefix="kycgate-") as file:
        file.write(key + b"".join(one.certificate.public_bytes(Encoding.PEM) for one in chain))
        file.flush()
        context.load_cert_chain(file.name, password=word)
