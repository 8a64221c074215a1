"""The signing stage."""

import json
from dataclasses import replace

import pytest

from sipguard.policy.finding import Attested, CallerIdentity, Forwarded, Refusal, Signed, Unsigned
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.sign import examine
from sipguard.policy.view import View
from sipguard.sip.date import format_date
from sipguard.stir import base64url
from sipguard.stir.attestation import Attestation
from sipguard.stir.claims import Claims
from sipguard.stir.generations import Generations
from tests.policy.kit import CUSTOMER, DATE, NOW, OWNED, FakeSigner, call_of, invite, view_of

REFUSE = PolicySettings(sign_outage="refuse")


def attested_call(request=None, **parts):
    """A call that is to be signed A."""
    call = call_of(request, **parts)
    call.identity = CallerIdentity(OWNED, OWNED, (), None)
    call.attested = Attested(Attestation.A, "origid")
    return call


def signed(request=None, signer=None):
    """The finding for a request, and what the signer was asked to sign."""
    signer = signer or FakeSigner()
    return examine(attested_call(request), view_of(signer=signer)), signer.signed


@pytest.mark.clause("AS-03", "RFC 8224 6.1")
def test_a_request_without_date_is_signed_now_and_gets_one():
    """iat is the time of arrival, and the Date to add says the same."""
    finding, asked = signed()
    assert finding == Signed("token;info=<url>;alg=ES256;ppt=shaken", FakeSigner.url, "1234", NOW, DATE)
    assert asked == [(OWNED, ("14155550150",), "A", "origid", NOW)]


@pytest.mark.clause("AS-06", "RFC 8224 4.1")
@pytest.mark.parametrize("offset", [-60, -20, 0, 60])
def test_a_fresh_date_is_the_iat(offset):
    """A Date at most sixty seconds off is what is signed, and none is added."""
    finding, _ = signed(invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", None, f"Date: {format_date(NOW + offset)}"))
    assert isinstance(finding, Signed)
    assert (finding.iat, finding.date) == (NOW + offset, None)


@pytest.mark.clause("AS-04")
@pytest.mark.parametrize(
    "date", [format_date(NOW - 61), format_date(NOW + 61), "yesterday", "Mon, 24 Nov 2025 16:00:00 EST"]
)
def test_a_stale_date_is_never_signed(date):
    """A Date that is off by more, or no date at all, is not what is signed."""
    finding, _ = signed(invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", None, f"Date: {date}"))
    assert isinstance(finding, Signed)
    assert finding.iat == NOW


@pytest.mark.clause("AS-08", "RFC 8224 4.1")
def test_dest_is_the_number_of_to():
    """The called number of the PASSporT comes from To, not from the Request-URI."""
    _, asked = signed(invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", "<sip:4155550151@p>"))
    assert asked[0][1] == ("14155550151",)


@pytest.mark.parametrize("to", ["<sip:service@p>", "<sip:%zz@p>"])
def test_dest_falls_back_to_the_request_uri(to):
    """Where To names no number the Request-URI does."""
    _, asked = signed(invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", to))
    assert asked[0][1] == ("14155550150",)


@pytest.mark.clause("EMG-05")
def test_an_emergency_number_is_signed_as_dialled():
    """911 stays 911, without a country code."""
    _, asked = signed(invite("tel:911"))
    assert asked[0][1] == ("911",)


@pytest.mark.parametrize("uri", ["urn:service:sos", "sip:%zz@p"])
def test_a_call_to_no_number_is_unsigned(uri):
    """A service URN has no number to sign."""
    assert signed(invite(uri))[0] == Unsigned("no called number")


def test_the_trunks_certificate_signs():
    """The certificate that the trunk names is used, and the default one where that is missing."""
    own, default = FakeSigner(), FakeSigner()
    base = view_of()
    view = View(
        base.directory,
        base.policy,
        {name: Generations(name, [signer]) for name, signer in (("own", own), ("default", default))},
        base.origids,
        base.verification,
        None,
        base.traffic,
    )
    examine(attested_call(trunk=replace(CUSTOMER, certificate="own")), view)
    examine(attested_call(trunk=replace(CUSTOMER, certificate="gone")), view)
    assert (len(own.signed), len(default.signed)) == (1, 1)


@pytest.mark.clause("AS-28", "AS-05")
@pytest.mark.parametrize(
    "signer",
    [None, FakeSigner(not_after=NOW - 1), FakeSigner(RuntimeError("module lost")), FakeSigner(OSError())],
    ids=["missing", "expired", "raising", "failing"],
)
def test_a_signature_that_cannot_be_made_never_breaks_the_call(signer):
    """Without a usable signer the call leaves unsigned with an alarm, or is refused with one, as configured."""
    unsigned = examine(attested_call(), view_of(signer=signer))
    assert isinstance(unsigned, Unsigned)
    assert unsigned.alarm
    refusal = examine(attested_call(), view_of(signer=signer, policy=REFUSE))
    assert isinstance(refusal, Refusal)
    assert (refusal.rule, refusal.alert) == ("sign.outage", True)


@pytest.mark.clause("AS-05")
def test_a_date_outside_the_certificate_is_not_signed():
    """Both the Date and now must lie inside the certificate's validity."""
    request = invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", None, f"Date: {format_date(NOW + 30)}")
    finding, _ = signed(request, FakeSigner(not_after=NOW + 10))
    assert isinstance(finding, Unsigned)
    assert finding.alarm


@pytest.mark.clause("AS-24")
def test_what_is_not_attested_is_not_signed():
    """A call without an attestation leaves unsigned, and that is no alarm."""
    call = attested_call()
    call.attested = Attested(None)
    assert examine(call, view_of()) == Unsigned("not attested")


@pytest.mark.clause("AS-25")
def test_only_an_invite_is_signed():
    """Other requests are none of the stage's business."""
    assert examine(attested_call(invite(method="MESSAGE")), view_of()) is None


@pytest.mark.clause("AS-28", "AS-16")
def test_an_older_generation_stands_in_for_a_newer_one():
    """Where the newest key is out of reach, the older certificate that is still valid signs."""
    older, newer = FakeSigner(), FakeSigner(OSError())
    newer.serial, newer.issued = "02", 1
    view = replace(view_of(), signers={"default": Generations("default", [older, newer])})
    assert isinstance(examine(attested_call(), view), Signed)
    assert len(older.signed) == 1


@pytest.mark.clause("AS-04")
@pytest.mark.parametrize("date", [format_date(NOW - 61), "yesterday"])
def test_what_follows_a_stale_date_is_configured(date):
    """redate signs and replaces it, unsigned lets the call go without alarm, refuse answers 403 Stale Date."""
    request = invite("sip:+14155550150@p", f"<sip:+{OWNED}@x>", None, f"Date: {date}")
    outcomes = {
        choice: examine(attested_call(request), view_of(policy=PolicySettings(sign_stale_date=choice)))
        for choice in ("redate", "unsigned", "refuse")
    }
    assert (outcomes["redate"].iat, outcomes["redate"].date) == (NOW, DATE)
    assert isinstance(outcomes["unsigned"], Unsigned)
    assert not outcomes["unsigned"].alarm
    assert outcomes["refuse"].rule == "sign.stale-date"


def test_the_record_says_why_a_call_left_unsigned():
    """What the attestation stage said is what the trail shows."""
    call = attested_call()
    call.attested = Attested(None, why="signed by another provider")
    assert examine(call, view_of()) == Unsigned("signed by another provider")


@pytest.mark.clause("CRT-03", "CRT-10", "RFC 9060 5")
def test_a_number_that_the_certificate_does_not_list_is_not_signed_for():
    """Every verifier would refuse the token: the call has no signature, and the alarm says why."""
    signer = FakeSigner()
    signer.numbers = ("12125550199",)
    finding, asked = signed(signer=signer)
    assert isinstance(finding, Unsigned)
    assert "does not cover the calling number" in finding.why
    assert asked == []
    signer.numbers = (OWNED,)
    assert isinstance(signed(signer=signer)[0], Signed)


@pytest.mark.clause("BLK-12", "47 CFR 64.6301")
def test_an_account_is_signed_with_its_own_certificate():
    """The account's certificate goes before the trunk's (the third-party signing rule)."""
    own, node = FakeSigner(), FakeSigner()
    call = attested_call()
    call.account = replace(call.account, certificate="acme-2026")
    view = replace(
        view_of(), signers={"acme-2026": Generations("acme-2026", [own]), "default": Generations("default", [node])}
    )
    assert isinstance(examine(call, view), Signed)
    assert (len(own.signed), len(node.signed)) == (1, 0)


def forwarded_call(iat=NOW, *headers, index=None, dest=(OWNED,), restored=()):
    """A call that came to OWNED with a PASSporT and goes on from there."""
    call = call_of(invite("sip:+14155550150@p", "<sip:+13125550777@x>", None, *headers))
    claims = Claims("13125550777", None, dest, (), iat, None, None, {})
    forwarded = Forwarded(OWNED, Forwarding.PASSPORT, index, (claims,), restored)
    call.identity = CallerIdentity("13125550777", "13125550777", (), None, forwarded=forwarded)
    call.attested = Attested(None)
    return call


def diversion_of(finding):
    """The claims of the div that a finding adds."""
    assert finding.identity.endswith(";ppt=div")
    return json.loads(base64url.decode(finding.identity.split(".")[1]))


@pytest.mark.clause("DIV-03", "DIV-13", "RFC 8946 3")
def test_a_forwarded_call_gets_a_diversion():
    """From the diverting number to the Request-URI, for the same caller; what the call had lost stands beside it."""
    finding = examine(forwarded_call(index="1.1", restored=("lost;ppt=shaken",)), view_of())
    assert diversion_of(finding) == {
        "dest": {"tn": ["14155550150"]},
        "div": {"hi": "1.1", "tn": OWNED},
        "iat": NOW,
        "orig": {"tn": "13125550777"},
    }
    assert (finding.beside, finding.remarks, finding.date) == (("lost;ppt=shaken",), ("div", "restored"), DATE)


@pytest.mark.clause("DIV-03")
@pytest.mark.parametrize(
    ("age", "offset", "iat"),
    [(10, -10, NOW - 10), (10, 0, NOW - 10), (61, 0, NOW), (61, -60, NOW - 60), (10, -61, NOW), (10, None, NOW)],
)
def test_when_a_diversion_was_issued(age, offset, iat):
    """When the diverted PASSporT was, while that is recent and the Date stays; else at the Date, old or new."""
    date = () if offset is None else (f"Date: {format_date(NOW + offset)}",)
    assert diversion_of(examine(forwarded_call(NOW - age, *date), view_of()))["iat"] == iat


@pytest.mark.clause("DIV-04", "AS-28", "AS-05")
def test_a_diversion_that_cannot_be_made():
    """No key, no certificate for the diverting number, none that was valid at iat: the call goes on, with an alarm."""
    failing, listed, young = FakeSigner(), FakeSigner(), FakeSigner()
    failing.failure_beside, listed.numbers = OSError(), ("13125550777",)
    young.valid_at = lambda moment: moment >= NOW - 5
    date = f"Date: {format_date(NOW - 20)}"
    for signer, why in (
        (None, "no signing certificate"),
        (failing, "OSError"),
        (listed, "does not cover the diverting number"),
        (young, "is not valid now"),
    ):
        finding = examine(forwarded_call(NOW - 20, date), view_of(signer=signer))
        assert isinstance(finding, Unsigned)
        assert why in finding.why
        assert finding.alarm
        refusal = examine(forwarded_call(NOW - 20, date), view_of(signer=signer, policy=REFUSE))
        assert refusal.rule == "sign.outage"


@pytest.mark.clause("DIV-05")
def test_an_older_generation_diverts_where_the_newest_cannot():
    """As for any other PASSporT; and a stale Date that is not to be signed leaves the call without a div."""
    older, newer = FakeSigner(), FakeSigner()
    newer.serial, newer.issued, newer.failure_beside = "02", 1, OSError()
    view = replace(view_of(), signers={"default": Generations("default", [older, newer])})
    assert isinstance(examine(forwarded_call(), view), Signed)
    call = forwarded_call(NOW, f"Date: {format_date(NOW - 61)}")
    finding = examine(call, view_of(policy=PolicySettings(sign_stale_date="unsigned")))
    assert isinstance(finding, Unsigned)
    assert not finding.alarm
