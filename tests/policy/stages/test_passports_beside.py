"""The PASSporTs beside SHAKEN's, as the signing stage makes them."""

import json
from dataclasses import replace

import pytest

from sipguard.errors import CertificateError
from sipguard.policy.account import Account
from sipguard.policy.finding import Attested, CallerIdentity, Emergency, Signed
from sipguard.policy.right import EmergencyRegistration
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.sign import examine
from sipguard.policy.trunk import TrafficClass
from sipguard.stir import base64url
from sipguard.stir.attestation import Attestation
from tests.policy.kit import (
    ACME,
    CONVERSATIONAL,
    NOW,
    OWNED,
    FakeSigner,
    call_of,
    directory,
    invite,
    view_of,
)

NAMED = replace(ACME, caller_name="Zoë & Co")
REGISTRATION = EmergencyRegistration(OWNED, "acme", "US", "registered", paid=True)
PRIORITY = PolicySettings(sign_emergency_priority="esnet.1")


def signed(request=None, account: Account = ACME, level=Attestation.A, anonymous=False, emergency=None, **parts):
    """The finding on a call of the owned number."""
    call = call_of(request, account=account)
    call.identity = CallerIdentity(OWNED, OWNED, (), None, anonymous=anonymous)
    call.attested = Attested(level, "origid")
    call.emergency = emergency
    finding = examine(call, view_of(**parts))
    assert isinstance(finding, Signed)
    return finding


def claims(identity: str):
    """The claims of an Identity value."""
    return json.loads(base64url.decode(identity.split(".")[1]))


def test_a_plain_call_has_one_passport():
    """Nothing is beside it, and the trail stays as it was."""
    finding = signed()
    assert (finding.beside, finding.priority, finding.trail()) == ((), "", ("signed",))


# --- the caller's name


@pytest.mark.clause("RCD-01", "RCD-02", "PPT-10", "RFC 9795")
def test_a_caller_with_a_name_is_named():
    """The name of record and its digest, for the same numbers and the same time as SHAKEN's."""
    finding = signed(account=NAMED)
    (identity,) = finding.beside
    assert identity.endswith(f";info=<{FakeSigner.url}>;alg=ES256;ppt=rcd")
    told = claims(identity)
    assert told["rcdi"].keys() == {"/nam"}
    assert (told["rcd"], told["iat"]) == ({"nam": "Zoë & Co"}, finding.iat)
    assert (told["orig"], told["dest"]) == ({"tn": OWNED}, {"tn": ["14155550150"]})
    assert finding.trail() == ("signed", "rcd")


@pytest.mark.clause("RCD-05")
@pytest.mark.parametrize("level", [Attestation.B, Attestation.C])
def test_only_who_may_use_the_number_is_named(level):
    """Less than A: the name could be beside anybody's number."""
    assert signed(account=NAMED, level=level).beside == ()


@pytest.mark.clause("PRV-10", "RCD-01")
@pytest.mark.parametrize("privacy", ["id", "user", "header;id", "history"])
def test_who_hides_is_not_named(privacy):
    """A Privacy other than none, or an anonymous From, keeps the name back."""
    request = invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", None, f"Privacy: {privacy}")
    assert signed(request, NAMED).beside == ()
    assert signed(account=NAMED, anonymous=True).beside == ()
    shown = invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", None, "Privacy: none")
    assert len(signed(shown, NAMED).beside) == 1


@pytest.mark.clause("RCD-05", "AS-28")
@pytest.mark.parametrize(
    ("failure", "said"),
    [(CertificateError("forbids it"), "no rcd: forbids it"), (OSError("gone"), "no rcd: OSError")],
)
def test_a_name_that_cannot_be_signed_costs_nothing_else(failure, said):
    """A certificate that forbids rich call data, or a key that goes away: SHAKEN's token leaves, the trail says why."""
    signer = FakeSigner()
    signer.failure_beside = failure
    finding = signed(account=NAMED, signer=signer)
    assert finding.identity.endswith("ppt=shaken")
    assert (finding.beside, finding.trail()) == ((), ("signed", said))


# --- the priority of an emergency call


@pytest.mark.clause("EMG-13", "RPH-04", "RFC 9027 3")
@pytest.mark.parametrize(
    ("uri", "number", "dest"),
    [
        ("tel:911", "911", {"tn": ["911"]}),
        ("urn:service:sos", "urn:service:sos", {"uri": ["urn:service:sos"]}),
        ("urn:service:sos.fire", "urn:service:sos.fire", {"uri": ["urn:service:sos.fire"]}),
    ],
)
def test_an_emergency_call_gets_its_priority(uri, number, dest):
    """Registered, with a priority configured: Resource-Priority and the PASSporT that authorises it."""
    finding = signed(invite(uri), emergency=Emergency(number, REGISTRATION), policy=PRIORITY)
    (identity,) = finding.beside
    assert finding.priority == "esnet.1"
    assert claims(identity) == {
        "dest": dest, "iat": NOW, "orig": {"tn": OWNED}, "rph": {"auth": ["esnet.1"]},
    }  # fmt: skip


@pytest.mark.clause("EMG-13", "RPH-08")
def test_no_other_call_gets_a_priority():
    """Not configured, not registered, no emergency trunk, no emergency call: nothing is added."""
    emergency = Emergency("911", REGISTRATION)
    elsewhere = directory(trunks=(CONVERSATIONAL,))
    for finding in (
        signed(invite("tel:911"), emergency=emergency),
        signed(invite("tel:911"), emergency=Emergency("911", None), policy=PRIORITY),
        signed(invite("tel:911"), emergency=emergency, policy=PRIORITY, directory=elsewhere),
        signed(policy=PRIORITY),
    ):
        assert (finding.beside, finding.priority) == ((), "")
    assert not elsewhere.egress(TrafficClass.EMERGENCY)


@pytest.mark.clause("RPH-03", "EMG-13")
def test_a_priority_is_never_claimed_without_its_passport():
    """What cannot be authorised is not asked for; the name beside it does not matter."""
    signer = FakeSigner()
    signer.failure_beside = OSError()
    finding = signed(invite("tel:911"), NAMED, emergency=Emergency("911", REGISTRATION), policy=PRIORITY, signer=signer)
    assert (finding.beside, finding.priority) == ((), "")
    assert finding.trail() == ("signed", "no rph: OSError", "no rcd: OSError")


@pytest.mark.clause("EMG-13", "RCD-01")
def test_both_may_stand_beside():
    """A named caller's emergency call has three PASSporTs."""
    finding = signed(invite("tel:911"), NAMED, emergency=Emergency("911", REGISTRATION), policy=PRIORITY)
    assert [identity.rpartition("=")[2] for identity in finding.beside] == ["rph", "rcd"]
    assert finding.trail() == ("signed", "rph", "rcd")
