"""Faults: each breaks one clause of an otherwise faithful vendor, at one of its seams."""

from kycgate.sandbox.faults.registry import FAULTS, Fault, vendor_with
from kycgate.sandbox.faults.under_load import LOAD_FAULTS

__all__ = ["FAULTS", "LOAD_FAULTS", "Fault", "vendor_with"]
