"""Faults: each breaks one clause of an otherwise faithful vendor, at one of its seams."""

from kycgate.sandbox.faults.registry import FAULTS, Fault, vendor_with

__all__ = ["FAULTS", "Fault", "vendor_with"]
