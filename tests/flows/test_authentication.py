"""Customers known by credentials: who is challenged, who gets in, and what nobody learns."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import EmergencyRegistration, NumberRight, RightKind
from sipguard.policy.trunk import Trunk
from sipguard.sip.message import Request
from sipguard.testing.sample import ACME_PBX, CARRIER_A, OWNED, PROXY, TRUNKS, changed, flow_from, invite
from tests.flows.credentials import (
    DIGEST,
    OTHER_TRUNK,
    OTHER_USER,
    REALM,
    ROAMING,
    ROAMING_TRUNK,
    USER,
    Telephone,
    asking,
    authorised,
    challenges,
    with_row,
)
from tests.flows.stage import Stage

BOTH = (*changed("acme-pbx", digest=True), ROAMING_TRUNK)  # the PBX must prove itself besides its address
EMERGENCY: dict[str, Any] = {"uri": f"sip:911@{PROXY[0]};user=phone", "called": "911"}
OLD = dataclasses.replace(DIGEST, algorithms=("SHA-512-256", "SHA-256", "MD5"))


def outcomes(stage: Stage) -> dict[str, int]:
    """How often credentials were judged, by outcome."""
    return {key[1]: count for key, count in stage.engine.counters.items() if key[0] == "digest"}


@pytest.mark.clause("PRX-31", "PRX-25", "RFC 3261 22.3")
def test_a_stranger_is_challenged_and_its_answer_lets_it_in() -> None:
    """407 with a challenge and no record; the same call with credentials is carried, recorded as whose it is."""
    stage = asking()
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    assert (challenge.realm, challenge.qop, challenge.stale) == (REALM, ("auth",), False)
    assert challenge.opaque
    assert stage.network.records == []
    assert telephone.carried == []
    assert telephone.call(authorised(request, challenge)).code == 200
    record = stage.record("decision")
    assert (record["trunk"], record["account"], record["authenticated"]) == ("acme-roaming", "acme", USER)
    assert record["trail"][0] == ["source", "digest", USER]
    assert outcomes(stage) == {"challenged": 1, "accepted": 1}
    stage.hang_up(telephone.agent)
    stage.settle()


@pytest.mark.clause("PRX-32", "RFC 8760 2.3")
def test_challenges_are_rows_of_their_own_strongest_first() -> None:
    """One row for each algorithm the operator allows, and MD5 only if it is one of them."""
    telephone = Telephone(asking(digest=OLD))
    request = invite(source=ROAMING)
    asked = challenges(telephone.call(request))
    assert [challenge.algorithm for challenge in asked] == ["SHA-512-256", "SHA-256", "MD5"]
    assert len({(challenge.nonce, challenge.opaque) for challenge in asked}) == 1
    (alone,) = challenges(Telephone(asking()).call(invite(source=ROAMING)))
    assert alone.algorithm == "SHA-256"


@pytest.mark.clause("PRX-32", "RFC 8760 2.3")
@pytest.mark.parametrize("choice", [0, 1, 2])
def test_any_algorithm_that_is_offered_will_do(choice: int) -> None:
    """The client chooses; what is not offered opens nothing."""
    telephone = Telephone(asking(digest=OLD))
    request = invite(source=ROAMING)
    challenge = challenges(telephone.call(request))[choice]
    assert telephone.call(authorised(request, challenge)).code == 200


@pytest.mark.clause("PRX-32")
def test_md5_is_refused_where_it_is_not_offered() -> None:
    """Right MD5 credentials for a SHA-256 challenge are wrong credentials."""
    stage = asking()
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    again = telephone.call(authorised(request, challenge._replace(algorithm="MD5")))
    assert again.code == 407
    assert outcomes(stage)["wrong"] == 1


@pytest.mark.clause("PRX-31", "RFC 7616 3.3")
def test_a_right_answer_to_a_nonce_that_is_not_ours_is_stale() -> None:
    """A wrong nonce under the right password: stale=true, and the answer to the new nonce is good."""
    telephone = Telephone(asking())
    request, challenge = telephone.challenged()
    answered = authorised(request, challenge._replace(nonce="made-up"))
    refused = telephone.call(answered)
    (fresh,) = challenges(refused)
    assert (refused.code, fresh.stale) == (407, True)
    assert telephone.call(authorised(request.fork(), fresh, cseq=3)).code == 200


@pytest.mark.clause("PRX-31", "RFC 7616 3.3")
def test_a_nonce_grows_old() -> None:
    """Good until its lifetime is over, then stale."""
    stage = asking()
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    stage.network.run(DIGEST.nonce_lifetime)
    (fresh,) = challenges(telephone.call(authorised(request, challenge)))
    assert fresh.stale
    assert fresh.nonce != challenge.nonce


@pytest.mark.clause("PRX-31", "RFC 7616 3.4.5", "RFC 7616 5.12")
@pytest.mark.parametrize(("count", "code"), [(2, 200), (0xFF, 200), (1, 407), (0, 407)])
def test_a_count_is_good_once(count: int, code: int) -> None:
    """A nonce goes on with higher counts; the same one, or a lower one, is a replay."""
    stage = asking()
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    assert telephone.call(authorised(request, challenge)).code == 200
    later = invite(source=ROAMING, call_id="call-2@sample")
    answered = telephone.call(authorised(later, challenge, count=count))
    assert answered.code == code
    assert code == 200 or challenges(answered)[0].stale


@pytest.mark.clause("PRX-31", "RFC 7616 5.4")
def test_a_nonce_of_before_a_restart_is_stale() -> None:
    """Another process does not know which counts were used, so it takes no nonce of the one before."""
    stage = asking()
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    stage.network.engine = stage.sample.restarted()
    for number in range(3):  # a test's randomness is predictable: take some
        stage.network.inject(invite(method="BYE", call_id=str(number)).encode(), flow_from(ROAMING))
    (fresh,) = challenges(telephone.call(authorised(request, challenge)))
    assert fresh.stale


@pytest.mark.clause("PRX-31", "RFC 7616 5.7", "RFC 3261 26.3.2.4")
@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong password"}, {"user": "nobody"}, {"user": OTHER_USER}, {"response": "0" * 64},
        {"response": ""}, {"response": "\xff" * 64}, {"username": USER + " "}, {"qop": None}, {"cnonce": ""},
        {"uri": "sip:+19005550100@192.0.2.1;user=phone"}, {"uri": "garbage"}, {"method": "BYE"},
    ],
    ids=str,
)  # fmt: skip
def test_whoever_fails_learns_nothing(changes: dict[str, Any]) -> None:
    """Wrong password, unknown user, another trunk's user, another number signed: the same answer but for its nonce."""
    stage = asking()
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    signed = request if "method" not in changes else invite(source=ROAMING, method=changes["method"])
    answered = authorised(signed, challenge, **{name: value for name, value in changes.items() if name != "method"})
    if "method" in changes:
        answered = with_row(request, answered.required("proxy-authorization"))
    refused = telephone.call(answered)
    (fresh,) = challenges(refused)
    assert (refused.code, refused.reason, fresh.stale) == (407, "Proxy Authentication Required", False)
    plain = challenges(telephone.call(invite(source=ROAMING, call_id="call-2@sample")))
    assert fresh._replace(nonce="", opaque="") == plain[0]._replace(nonce="", opaque="")
    assert [name for name in refused.names if name not in telephone.agent.responses[-1].names] == []
    assert telephone.carried == []
    assert stage.network.records == []
    assert outcomes(stage) == {"challenged": 2, "wrong": 1}


@pytest.mark.clause("PRX-31", "MSG-31")
@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")))
def test_garbage_never_authenticates(text: str) -> None:
    """Whatever stands in Proxy-Authorization, the answer is a challenge or 400, and nothing is logged as an error."""
    stage = asking()
    realm = f'Digest username="{USER}", realm="{REALM}", nonce="n", uri="sip:x", response="{text}", {text}'
    for value in (text, f"Digest {text}", realm):
        request = invite(source=ROAMING).fork()
        request.append("proxy-authorization", value)
        stage.network.inject(request.encode(), flow_from(ROAMING))
    stage.network.run(1)
    assert stage.requests_to(CARRIER_A, "INVITE") == []
    assert stage.errors == []


@pytest.mark.clause("PRX-31")
def test_failures_are_logged_at_a_bounded_rate() -> None:
    """So many lines a minute, with source and user; then one that says how many were left out."""
    stage = asking(digest=dataclasses.replace(DIGEST, failures_logged=2))
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    for number in range(5):
        attempt = invite(source=ROAMING, call_id=f"guess-{number}@sample")
        telephone.call(authorised(attempt, challenge, password=f"guess {number}"), 0.1)
    lines = [log.fields for log in stage.network.logs if log.event == "digest.failed"]
    assert [line["unlogged"] for line in lines] == [0, 0]
    assert (lines[0]["source"], lines[0]["user"]) == ("udp:198.51.100.77:5060", USER)
    stage.network.run(60)
    telephone.call(authorised(request, challenge, password="another guess"))
    lines = [log.fields for log in stage.network.logs if log.event == "digest.failed"]
    assert [line["unlogged"] for line in lines] == [0, 0, 3]
    assert outcomes(stage)["wrong"] == 6


@pytest.mark.clause("PRX-31", "RFC 3261 22.1")
def test_ack_and_cancel_are_never_challenged() -> None:
    """An ACK is dropped, a CANCEL for nothing is 481; the CANCEL of a call that rings ends it without credentials."""
    stage = asking()
    for method, expected in (("ACK", []), ("CANCEL", [b"SIP/2.0 481"])):
        outputs = stage.network.inject(invite(source=ROAMING, method=method).encode(), flow_from(ROAMING))
        assert [output.data[:11] for output in outputs] == expected  # type: ignore[union-attr]
    telephone = Telephone(stage)
    request, challenge = telephone.challenged(call_id="call-2@sample")
    telephone.call(authorised(request, challenge), seconds=0.3)
    telephone.agent.give_up()
    stage.network.run(2)
    assert telephone.agent.codes[-1] == 487
    assert stage.carrier.cancelled == 1


@pytest.mark.clause("PRX-31", "PRX-24")
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
def test_nothing_is_challenged_inside_a_dialog(method: str) -> None:
    """A dialog proves itself by its tags and token; only what is outside is asked."""
    stage = asking()
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    telephone.call(authorised(request, challenge))
    telephone.agent.start(telephone.agent.in_dialog(method))
    stage.network.run(2)
    assert telephone.agent.codes[-1] == 200
    assert outcomes(stage) == {"challenged": 1, "accepted": 1}


@pytest.mark.clause("PRX-34", "RFC 3261 22.1", "MSG-03")
def test_only_credentials_for_our_realm_are_taken_off() -> None:
    """Rows for other realms, of other schemes and unreadable ones arrive octet by octet, ours do not arrive at all."""
    stage = asking()
    telephone = Telephone(stage)
    rows = (
        'Proxy-Authorization:  Digest username="a", realm="far.example", nonce="n", uri="sip:x", response="00"',
        "Proxy-Authorization: Bearer abc, def",
        f'Proxy-Authorization: Digest realm="{REALM}"',
        "Authorization: Digest username=unreadable",
    )
    request, challenge = telephone.challenged(headers=rows)
    telephone.call(authorised(request, challenge))
    (carried,) = telephone.carried
    assert [row for row in carried.rows if "uthorization" in row] == list(rows)
    for method in ("INFO", "ACK"):
        telephone.agent.start(with_credentials(telephone.agent.in_dialog(method), request, challenge))
    stage.network.run(1)
    for arrived in (stage.requests_to(CARRIER_A, "INFO")[0], stage.requests_to(CARRIER_A, "ACK")[-1]):
        assert arrived.values("proxy-authorization") == []


def with_credentials(inside: Request, request: Request, challenge: Any) -> Request:
    """An in-dialog request with the credentials of the INVITE, as user agents like to send them."""
    inside.append("proxy-authorization", authorised(request, challenge).values("proxy-authorization")[-1])
    return inside


@pytest.mark.clause("PRX-34")
def test_what_a_trunk_known_by_address_sends_for_our_realm_goes_no_further() -> None:
    """A PBX that need not prove itself may send credentials all the same; the carrier does not see them."""
    stage = asking()
    telephone = Telephone(stage)
    request, challenge = telephone.challenged()
    row = authorised(request, challenge).required("proxy-authorization")
    stage.call(call_id="call-2@sample", headers=(f"Proxy-Authorization: {row}",))
    assert stage.pbx.codes[-1] == 200
    assert not telephone.carried[0].has("proxy-authorization")
    assert "authenticated" not in stage.record("decision")


@pytest.mark.clause("PRX-31", "RFC 3261 22.3")
def test_address_and_credentials_together() -> None:
    """A trunk that wants both challenges its own address, and its credentials open nothing elsewhere."""
    stage = asking((*TRUNKS, OTHER_TRUNK, ROAMING_TRUNK))
    other = Telephone(stage, ("198.51.100.99", 5060))
    request, challenge = other.challenged()
    refused = authorised(request, challenge)
    assert other.call(refused).code == 407
    assert other.call(authorised(request, challenge, user=OTHER_USER, cseq=3)).code == 200
    assert stage.network.records[0]["trunk"] == OTHER_TRUNK.name


@pytest.mark.clause("EMG-04", "EMG-01")
def test_an_emergency_call_from_a_known_address_is_not_held_up() -> None:
    """Where the address says whose call it is, an emergency call passes without credentials, and with wrong ones."""
    stage = asking(BOTH)
    stage.pbx.start(invite(**EMERGENCY))
    stage.network.run(2)
    assert stage.events[0] == "decision"
    assert stage.record("decision")["trunk"] == "acme-pbx"
    assert outcomes(stage) == {"emergency": 1}
    stage.pbx.start(invite(call_id="call-2@sample"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 407


@pytest.mark.clause("EMG-04", "EMG-01")
def test_the_emergency_number_of_the_callers_own_country_is_not_held_up() -> None:
    """A number registered in Germany behind an American trunk dials 110 and is not asked for a password."""
    stage = asking(BOTH)
    registered = EmergencyRegistration(OWNED, "acme", "DE", "registered", paid=True, location="Platz 1")
    stage.sample.directory.numbers = NumberBook.of(
        rights=[(OWNED, NumberRight("acme", RightKind.OWNED))], emergency=[registered]
    )
    stage.pbx.start(invite(**EMERGENCY | {"uri": f"sip:110@{PROXY[0]}", "called": "110"}))
    stage.network.run(2)
    assert outcomes(stage) == {"emergency": 1}
    assert stage.record("decision")["emergency"] == "110"


@pytest.mark.clause("EMG-04")
def test_an_emergency_call_of_a_stranger_is_challenged() -> None:
    """Nobody knows whose call it is until it says so; with credentials it is an emergency call like any."""
    stage = asking()
    telephone = Telephone(stage)
    request, challenge = telephone.challenged(**EMERGENCY)
    telephone.call(authorised(request, challenge))
    assert stage.record("decision")["trunk"] == "acme-roaming"


@pytest.mark.clause("PRX-31")
def test_without_digest_trunks_a_stranger_is_refused_as_ever() -> None:
    """403 with a record when no trunk wants credentials."""
    stage = asking(TRUNKS)
    telephone = Telephone(stage)
    assert telephone.call().code == 403
    assert stage.record("decision")["rule"] == "source.unknown"
    assert outcomes(stage) == {}


@pytest.mark.clause("PRX-31", "PRX-35")
def test_options_of_a_stranger_are_challenged() -> None:
    """A roaming PBX may ask whether we live once it says who it is; REGISTER and stray requests stay what they were."""
    stage = asking()
    telephone = Telephone(stage)
    options = invite(source=ROAMING, method="OPTIONS", uri=f"sip:{PROXY[0]}")
    (challenge,) = challenges(telephone.call(options))
    assert telephone.call(authorised(options, challenge)).code == 200
    assert telephone.call(invite(source=ROAMING, method="REGISTER", call_id="r")).code == 405
    assert telephone.call(invite(source=ROAMING, method="BYE", call_id="b")).code == 481


@pytest.mark.clause("PRX-31")
def test_a_trunk_known_by_address_is_asked_for_nothing() -> None:
    """Beside digest trunks, calls of known addresses go as before."""
    stage = asking()
    stage.call()
    assert stage.pbx.codes[-1] == 200
    assert stage.requests_to(ACME_PBX, "INVITE") == []
    assert outcomes(stage) == {}


def test_a_directory_that_assumes_who_calls() -> None:
    """What explain uses: the trunk is known by the address, and asked for nothing."""
    directory = asking().directory
    assumed = directory.assuming(ROAMING_TRUNK.name, "192.0.2.0")
    trunk = assumed.trunk_at("192.0.2.0")
    assert isinstance(trunk, Trunk)
    assert (trunk.name, trunk.digest) == (ROAMING_TRUNK.name, False)
    assert directory.trunk_at("192.0.2.0") is None


@pytest.mark.clause("PRX-31", "RFC 3261 26.3.2.4")
def test_a_challenge_is_sent_once_and_takes_no_memory() -> None:
    """Nobody acknowledges, and nothing is repeated or kept; the INVITE that is repeated is challenged anew."""
    stage = asking()
    for _ in range(2):
        stage.network.inject(invite(source=ROAMING).encode(), flow_from(ROAMING))
        assert stage.engine.open_transactions == 0
        stage.network.run(40)
    assert [data[8:11] for data in stage.octets_to(ROAMING)] == [b"100", b"407"] * 2
    assert outcomes(stage) == {"challenged": 2}
