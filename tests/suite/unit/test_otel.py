"""What Locust's export by OpenTelemetry takes, and how it goes out."""

import os
import sys
from importlib.machinery import ModuleSpec

import pytest

from kycgate.errors import UsageError
from kycgate.load import otel

GRPC = "opentelemetry.exporter.otlp.proto.grpc"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The modules that an import would find."""
    found = {"opentelemetry.sdk"}
    monkeypatch.setattr(otel, "find_spec", lambda name: ModuleSpec(name, None) if name in found else None)
    return found


def said(environment: dict[str, str]) -> str:
    with pytest.raises(UsageError) as refused:
        otel.demand_export(environment)
    return str(refused.value)


def test_without_the_extra_one_is_told_to_install_it(installed: set[str]) -> None:
    installed.clear()
    assert said({}) == "--otel takes the extra: install kycgate[otel]"


def test_a_package_above_that_is_missing_is_missing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert said({}) == "--otel takes the extra: install kycgate[otel]"


@pytest.mark.parametrize("protocol", ["", "http/protobuf", "http/json"])
def test_http_takes_nothing_more(protocol: str, installed: set[str]) -> None:
    assert installed
    otel.demand_export({"OTEL_EXPORTER_OTLP_PROTOCOL": protocol})


@pytest.mark.parametrize("signal", ["", "TRACES_", "METRICS_", "LOGS_"])
def test_grpc_takes_its_exporter(signal: str, installed: set[str]) -> None:
    variable = f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL"
    assert said({variable: " gRPC "}) == (
        f"{variable}=grpc takes opentelemetry-exporter-otlp-proto-grpc: install it, or set {variable}=http/protobuf"
    )
    installed.add(GRPC)
    otel.demand_export({variable: "grpc"})


@pytest.mark.parametrize(("set_to", "used"), [(None, "http/protobuf"), (" ", "http/protobuf"), ("grpc", "grpc")])
def test_the_protocol_is_http_unless_the_environment_names_another(
    set_to: str | None, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", set_to or "")
    if set_to is None:
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_PROTOCOL")
    otel.choose_protocol()
    assert os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == used
