"""What became of one trial of `kycgate prove`."""

from typing import Literal

from pydantic import BaseModel

from kycgate.sandbox import SandboxSettings

Kind = Literal["fault", "variant", "load"]
KEY_VARIANTS = {"fixed-keys": SandboxSettings(), "fixed-keys-bare": SandboxSettings(schemes=frozenset({"bare"}))}
"""Faithful variants that are met with fixed keys."""


class Trial(BaseModel):
    """One check of one fault or variant, with the exit code of a strict check; or one load of a fault under load."""

    kind: Kind
    name: str
    clause: str = ""
    exit_code: int
    broken: list[str]
    findings: list[str] = []
    """The broken clauses that are findings of their own: no other one is their cause."""
    not_tried: list[str]
    by_test: str = ""
    after: int = 0
    requests: int
    uploads: int
    seconds: float = 0.0
    reason: str

    @property
    def also(self) -> str:
        """What is broken besides its own clause."""
        return ", ".join(name for name in self.broken if name != self.clause)

    @property
    def passed(self) -> bool:
        """A fault is found at its own clause; a faithful variant is not accused and leaves no clause out."""
        if self.kind == "load":
            # A short load may lack evidence for an objective, and a busy machine may void one: neither matters here.
            return self.clause in self.broken if self.clause else not self.broken
        if self.kind == "fault":
            return self.exit_code == 1 and self.clause in self.broken
        # Fixed keys spend uploads on bringing flows to their end, so there the budget may cut something off.
        return self.exit_code == 0 and (not self.not_tried or self.name in KEY_VARIANTS)
