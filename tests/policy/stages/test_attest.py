"""The attestation stage."""

from dataclasses import replace

import pytest

from sipguard.policy.account import AccountState
from sipguard.policy.finding import Attested, CallerIdentity, Classified, Forwarded
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.right import RightKind
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.attest import examine
from sipguard.policy.trunk import TrafficClass
from sipguard.stir.attestation import Attestation
from tests.policy.kit import ACME, FOREIGN, OWNED, call_of, in_state, invite, view_of


def attested(right, account=ACME, traffic_class=TrafficClass.CONVERSATIONAL):
    """What a caller with this right is attested."""
    call = call_of(account=account)
    call.identity = CallerIdentity(OWNED, OWNED, (), right)
    call.classified = Classified(traffic_class)
    return examine(call, view_of())


@pytest.mark.clause("AS-22", "ATIS-1000074 5.2.3")
@pytest.mark.parametrize(
    ("right", "level"),
    [
        (RightKind.OWNED, Attestation.A),
        (RightKind.DELEGATED, Attestation.A),
        (RightKind.VERIFIED, Attestation.B),
        (None, Attestation.B),
    ],
)
def test_the_level_follows_the_right(right, level):
    """A needs the right to the number by ownership or delegation; a known customer without it gets B."""
    assert attested(right).level is level


@pytest.mark.parametrize(
    ("right", "cap", "level"),
    [
        (RightKind.OWNED, "B", Attestation.B),
        (RightKind.OWNED, "C", Attestation.C),
        (RightKind.VERIFIED, "A", Attestation.B),
        (RightKind.OWNED, "A", Attestation.A),
    ],
)
def test_a_cap_only_ever_lowers(right, cap, level):
    """An account's cap lowers the level and never raises it."""
    assert attested(right, replace(ACME, attest_cap=cap)).level is level


def test_a_restricted_account_is_never_attested_a():
    """A restricted account gets B for its own numbers, or less where its cap says so."""
    assert attested(RightKind.OWNED, in_state(AccountState.RESTRICTED)).level is Attestation.B
    assert attested(RightKind.OWNED, in_state(AccountState.RESTRICTED, attest_cap="C")).level is Attestation.C


@pytest.mark.clause("RFC 8588 5")
def test_the_origid_is_by_account_and_class():
    """Segregated traffic has an origid of its own."""
    assert attested(RightKind.OWNED).origid == "acme/conversational"
    assert attested(RightKind.OWNED, traffic_class=TrafficClass.DIALER).origid == "acme/dialer"


@pytest.mark.clause("AS-24")
def test_without_a_number_nothing_is_attested():
    """A call without an authorised number is not signed."""
    finding = examine(call_of(), view_of())
    assert finding is not None
    assert finding.level is None


@pytest.mark.clause("AS-25")
@pytest.mark.parametrize("method", ["MESSAGE", "OPTIONS", "SUBSCRIBE"])
def test_only_an_invite_is_attested(method):
    """Other requests are none of the stage's business."""
    assert examine(call_of(invite(method=method)), view_of()) is None


@pytest.mark.clause("EMG-13")
@pytest.mark.parametrize("number", ["9115550123", "19115550123"])
def test_a_number_nobody_can_call_back_is_never_attested_a(number):
    """911 and the last seven digits of a device's identity stand for a caller without service."""
    call = call_of(account=ACME)
    call.identity = CallerIdentity(number, number, (), RightKind.OWNED)
    assert examine(call, view_of()).level is Attestation.B


@pytest.mark.clause("AS-19")
def test_the_origid_may_be_the_calls_own():
    """With origid = "call" it is made of the record's identifier."""
    call = call_of(account=ACME)
    call.identity = CallerIdentity(OWNED, OWNED, (), RightKind.OWNED)
    assert examine(call, view_of(policy=PolicySettings(sign_origid="call"))).origid == "call/call-1"


@pytest.mark.clause("AS-30")
def test_an_untrusted_trunk_attests_nothing():
    """Attestation-Info and Origination-ID of a stranger change nothing."""
    headers = ("Attestation-Info: C", "Origination-ID: 7f1f9a4e-1111-4111-8111-000000000001")
    call = call_of(invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", None, *headers))
    call.identity = CallerIdentity(OWNED, OWNED, (), RightKind.OWNED)
    finding = examine(call, view_of())
    assert (finding.level, finding.origid) == (Attestation.A, "acme/conversational")


@pytest.mark.clause("DIV-02", "AS-22", "ATIS-1000074 5.2.3")
def test_a_forwarded_call():
    """What came signed is not attested again; what did not is B for who forwards it, or as its account is capped."""
    call = call_of()
    signed, unsigned = Forwarded(OWNED, Forwarding.PASSPORT, None, ("claims",)), Forwarded(OWNED, Forwarding.TRUST)
    call.identity = CallerIdentity(FOREIGN, FOREIGN, (), None, forwarded=signed)
    assert examine(call, view_of()) == Attested(None, why="forwarded, signed by another provider")
    call.identity = replace(call.identity, forwarded=unsigned)
    assert examine(call, view_of()) == Attested(Attestation.B, "acme/conversational", "forwarded")
    call.account = replace(ACME, attest_cap="C")
    assert examine(call, view_of()).level is Attestation.C
