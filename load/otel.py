"""Locust's own export by OpenTelemetry: what has to be installed for it, and over which protocol it goes out."""

import os
from collections.abc import Mapping
from importlib.util import find_spec

from kycgate.errors import UsageError

DEFAULT = "http/protobuf"
"""What OpenTelemetry's specification recommends as default (OTLP exporter, "Specify Protocol"); Locust's is gRPC, whose
exporter weighs 19 MB and is left to who needs it."""
_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
_EACH = (_PROTOCOL, *(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL" for signal in ("TRACES", "METRICS", "LOGS")))


def demand_export(environment: Mapping[str, str]) -> None:
    """Raise UsageError, which says what to do, when the export that these variables ask for is not installed."""
    if not _installed("opentelemetry.sdk"):
        raise UsageError("--otel takes the extra: install kycgate[otel]")
    grpc = next((name for name in _EACH if environment.get(name, "").strip().lower() == "grpc"), None)
    if grpc and not _installed("opentelemetry.exporter.otlp.proto.grpc"):
        raise UsageError(
            f"{grpc}=grpc takes opentelemetry-exporter-otlp-proto-grpc: install it, or set {grpc}={DEFAULT}"
        )


def choose_protocol() -> None:
    """Export over HTTP in this process, unless the environment names another protocol."""
    if not os.environ.get(_PROTOCOL, "").strip():
        os.environ[_PROTOCOL] = DEFAULT


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False  # A package above it is missing.
