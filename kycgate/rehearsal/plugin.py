"""The pytest plugin: `kycgate_vendor`, a stand-in vendor that is started once a session and reset for each test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kycgate.rehearsal.vendor import StandIn


@pytest.fixture(scope="session")
def _kycgate_stand_in() -> "Iterator[StandIn]":
    # Imported here: every pytest of this environment loads this module.
    from kycgate.rehearsal.vendor import stand_in

    with stand_in() as vendor:
        yield vendor


@pytest.fixture
def kycgate_vendor(_kycgate_stand_in: "StandIn") -> "Iterator[StandIn]":
    """A faithful stand-in vendor; what a test switches is undone after it."""
    _kycgate_stand_in.reset()
    yield _kycgate_stand_in
    _kycgate_stand_in.reset()
