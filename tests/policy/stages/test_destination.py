"""The destination stage."""

import pytest

from sipguard.policy.finding import Emergency, Refusal
from sipguard.policy.stages.destination import examine
from tests.policy.kit import call_of, invite, view_of


@pytest.mark.parametrize(
    "uri",
    [
        "sip:+14155550150@p",
        "tel:+14155550150",
        "sip:4155550150@p",
        "sip:%2B442079460000@p;user=phone",
        "sip:611@p",
        "sip:*67@p",
        "sip:988@p",
    ],
)
def test_a_number_passes(uri):
    """Global and national numbers, short codes, service codes and the crisis line can be dialled."""
    assert examine(call_of(invite(uri)), view_of()) is None


@pytest.mark.clause("RFC 3261 21.4.22")
@pytest.mark.parametrize(
    "uri",
    [
        "sip:alice@p", "sip:p", "sip:1@p", "sip:12@p", "sip:+1415555O150@p", "sip:1234567890123456@p",
        "sip:+1234567890123456@p", "tel:4155550150", "mailto:a@p", "urn:service:sos", "sip:%zz@p",
        "sip:%EF%BC%91%EF%BC%92%EF%BC%93@p", "sip:+0123456@p",
    ],
)  # fmt: skip
def test_rubbish_is_an_incomplete_address(uri):
    """A name, too few or too many digits, look-alike digits and what cannot be read are answered 484."""
    finding = examine(call_of(invite(uri)), view_of())
    assert isinstance(finding, Refusal)
    assert finding.rule == "destination.invalid"


@pytest.mark.clause("EMG-02", "EMG-04")
@pytest.mark.parametrize("uri", ["urn:service:sos", "sip:15@p", "sip:911@p"])
def test_an_emergency_call_is_not_asked(uri):
    """A service URN or a two-digit emergency number is no wrong destination."""
    call = call_of(invite(uri))
    call.emergency = Emergency(uri, None)
    assert examine(call, view_of()) is None
