"""A vendor that keeps the promise, and breaks it on request."""

from kycgate.sandbox.app import create_app
from kycgate.sandbox.faults import FAULTS, LOAD_FAULTS, Fault
from kycgate.sandbox.serve import RunningSandbox, serve
from kycgate.sandbox.settings import LatencyModel, SandboxSettings, parse_latency
from kycgate.sandbox.variants import variants

__all__ = [
    "FAULTS",
    "LOAD_FAULTS",
    "Fault",
    "LatencyModel",
    "RunningSandbox",
    "SandboxSettings",
    "create_app",
    "parse_latency",
    "serve",
    "variants",
]
