"""A vendor that keeps the promise, and breaks it on request."""

from kycgate.sandbox.app import create_app
from kycgate.sandbox.faults import FAULTS, LOAD_FAULTS, Fault
from kycgate.sandbox.faults.registry import fault
from kycgate.sandbox.serve import RunningSandbox, serve
from kycgate.sandbox.settings import TENANT, TENANT_SECRET, LatencyModel, SandboxSettings, parse_latency
from kycgate.sandbox.variants import variants
from kycgate.sandbox.vendor import Incoming, Onboarding, Reply, Vendor

__all__ = [
    "FAULTS",
    "LOAD_FAULTS",
    "TENANT",
    "TENANT_SECRET",
    "Fault",
    "Incoming",
    "LatencyModel",
    "Onboarding",
    "Reply",
    "RunningSandbox",
    "SandboxSettings",
    "Vendor",
    "create_app",
    "fault",
    "parse_latency",
    "serve",
    "variants",
]
