"""The callback stage."""

from dataclasses import replace

import pytest

from sipguard.policy.callbacks import CallbackWindows
from sipguard.policy.finding import Callback
from sipguard.policy.stages.callback import examine
from tests.policy.kit import CONVERSATIONAL, NOW, OWNED, VERIFIED, call_of, invite, view_of

MARK = "Priority: PSAP-Callback"


def arriving(*headers, uri=f"sip:+{OWNED}@p", trusted=False):
    """A call from the network to a number."""
    return call_of(invite(uri, "<sip:+12125550123@x>", None, *headers), trunk=replace(CONVERSATIONAL, trusted=trusted))


def expecting(tn=OWNED):
    """A view in which this number called help a minute ago."""
    windows = CallbackWindows()
    windows.open(tn, NOW - 60, 1800.0)
    return replace(view_of(), callbacks=windows)


@pytest.mark.clause("EMG-09", "RFC 7090 5.3")
def test_the_mark_of_a_trusted_trunk_counts():
    """Priority: psap-callback is believed from inside the trust domain only."""
    assert examine(arriving(MARK, trusted=True), view_of()) == Callback("marked")
    assert examine(arriving(MARK), view_of()) is None
    assert examine(arriving("Priority: emergency", trusted=True), view_of()) is None


@pytest.mark.clause("EMG-10")
def test_who_called_help_is_called_back():
    """A call to the number counts, however it arrives, and one to another number does not."""
    assert examine(arriving(), expecting()) == Callback("expected")
    assert examine(arriving(uri=f"tel:+{OWNED}"), expecting()) == Callback("expected")
    assert examine(arriving(), expecting(VERIFIED)) is None
    assert examine(arriving(), view_of()) is None


@pytest.mark.parametrize("uri", ["sip:%%@p", "sip:alice@p"])
def test_a_request_uri_without_a_number_is_none(uri):
    """What is no number was never expected."""
    assert examine(arriving(uri=uri), expecting()) is None
