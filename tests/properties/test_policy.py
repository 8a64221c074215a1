"""What holds for every number, however it is written."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.errors import MalformedValue
from sipguard.policy.chain import run
from sipguard.policy.decision import Decision
from sipguard.policy.emergency_numbers import emergency_number
from sipguard.policy.finding import CallerIdentity
from sipguard.policy.right import RightKind
from sipguard.policy.stages import caller_identity
from sipguard.policy.trunk import OnMismatch
from sipguard.sip.uri import parse_uri
from sipguard.stir.attestation import Attestation
from tests.policy.kit import AMERICA, CUSTOMER, OWNED, call_of, invite, view_of

SEPARATORS = st.sampled_from(["", "-", ".", "(", ")"])
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="<>\x7f"), max_size=40)


@st.composite
def spelled(draw, number):
    """A number with separators between its digits, some of which are escaped."""
    text = ""
    for digit in number:
        text += (f"%{ord(digit):02X}" if draw(st.booleans()) else digit) + draw(SEPARATORS)
    return text


@pytest.mark.clause("RFC 8224 8.3", "PRV-13")
@given(spelled(OWNED))
def test_separators_and_escapes_never_change_an_identity(user):
    """An owned number is the owned number in every spelling."""
    finding = caller_identity.examine(call_of(invite(from_=f"<sip:+{user}@pbx.example>")), view_of())
    assert isinstance(finding, CallerIdentity)
    assert finding.effective == OWNED


@pytest.mark.clause("EMG-03")
@given(spelled("911"), st.sampled_from(["", "9", "1", "%2B1", "+1", "0", "8"]))
def test_no_spelling_hides_an_emergency_number(user, prefix):
    """911 is found behind prefixes, separators and escapes."""
    assert emergency_number(parse_uri(f"sip:{prefix}{user}@proxy.example"), AMERICA, {}) == "911"


@given(PRINTABLE)
def test_any_uri_has_an_answer(text):
    """Whatever parses as a URI is an emergency number or not, and nothing raises."""
    try:
        uri = parse_uri(text)
    except MalformedValue:
        return
    emergency_number(uri, AMERICA, {})


@pytest.mark.clause("AS-01", "AS-22")
@given(PRINTABLE, PRINTABLE, st.sampled_from(list(OnMismatch)))
def test_a_is_only_ever_given_to_a_number_with_a_right(from_uri, asserted, choice):
    """Whatever From and P-Asserted-Identity say, A means that the account has a full right to the signed number."""
    view = view_of()
    request = invite("sip:+14155550150@p", f"<{from_uri}>", None, f"P-Asserted-Identity: <{asserted}>")
    call = call_of(request, trunk=replace(CUSTOMER, on_mismatch=choice))
    assert isinstance(run(call, view), Decision)
    if call.attested is not None and call.attested.level is Attestation.A:
        assert call.identity is not None
        right = view.directory.right(call.identity.effective, "acme", call.received_at)
        assert right is not None
        assert right.kind is not RightKind.VERIFIED
