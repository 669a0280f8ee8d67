"""Whose error it is."""

import errno
import socket

import pytest

from kycgate.load.own_fault import own_fault


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENETUNREACH])
def test_what_this_machine_lacks_is_ours_however_it_is_wrapped(number: int) -> None:
    assert own_fault(OSError(number, "x"))
    wrapped = RuntimeError("a library's own")
    wrapped.__cause__ = OSError(number, "x")
    assert own_fault(wrapped)


def test_a_name_that_is_not_resolved_is_no_word_of_the_target() -> None:
    assert "not resolved" in own_fault(socket.gaierror(socket.EAI_AGAIN, "Temporary failure"))


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT])
def test_what_the_other_side_does_is_not_ours(number: int) -> None:
    assert own_fault(OSError(number, "x")) == ""
    assert own_fault(None) == ""
    assert own_fault(TimeoutError()) == ""
