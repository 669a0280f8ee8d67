"""Contract, load and SLA testing of a National ID onboarding API."""

__version__ = "0.1.0"
