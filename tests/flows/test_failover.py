"""Serial failover and the choice of the response that goes back."""

import pytest

from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.testing.sample import ACME_PBX, CARRIER_A, CARRIER_A_SPARE, RESCUE, changed, flow_from, target
from sipguard.testing.user_agent import Script
from tests.flows.stage import Stage, octets, refusing, ringing


@pytest.mark.clause("FRK-08", "FRK-12", "RFC 3263 4.3")
def test_503_goes_to_the_next_target_on_a_new_branch() -> None:
    """After a 503 the next target gets the same call on a new branch, and the caller hears nothing of it."""
    stage = Stage(scripts={"carrier-a": refusing(503)})
    stage.call()
    assert stage.pbx.codes == [100, 180, 200]
    (first,), (second,) = stage.requests_to(CARRIER_A, "INVITE"), stage.requests_to(CARRIER_A_SPARE, "INVITE")
    assert first.via.branch != second.via.branch
    assert first.cseq == second.cseq
    assert first.required("from") == second.required("from")
    assert first.call_id == second.call_id
    assert stage.events == ["decision", "answer"]
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("TXN-33", "FRK-12", "RFC 3261 16.8")
def test_silence_goes_to_the_next_target() -> None:
    """A target that is silent for 64*T1 is followed by the next."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.call(31)
    assert stage.octets_to(CARRIER_A_SPARE) == []
    stage.network.run(4)
    assert stage.pbx.codes == [100, 180, 200]
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("TXN-24", "RFC 3261 16.9")
def test_an_unreachable_target_is_left_at_once() -> None:
    """A send that fails goes to the next target without waiting."""
    stage = Stage()
    stage.network.unreachable.add(CARRIER_A)
    stage.call(1)
    assert stage.pbx.codes == [100, 180, 200]
    assert len(stage.requests_to(CARRIER_A, "INVITE")) == 1


@pytest.mark.clause("BLK-01", "FRK-07", "FRK-04")
@pytest.mark.parametrize("code", [600, 603, 607, 608])
def test_a_global_failure_is_final(code: int) -> None:
    """No target is tried after a 6xx, which goes back as it came, Reason included."""
    stage = Stage(scripts={"carrier-a": refusing(code, ("reason", "Q.850;cause=21;location=LN"))})
    stage.call()
    assert stage.pbx.codes == [100, code]
    assert stage.pbx.responses[-1].value("reason") == "Q.850;cause=21;location=LN"
    assert stage.octets_to(CARRIER_A_SPARE) == []
    assert stage.record("end")["code"] == code
    stage.settle()


@pytest.mark.clause("FRK-12")
@pytest.mark.parametrize("code", [302, 404, 407, 486, 500])
def test_any_other_failure_is_final(code: int) -> None:
    """A target that answered for itself is believed; only 408 and 503 fail over."""
    stage = Stage(scripts={"carrier-a": refusing(code)})
    stage.call()
    assert stage.pbx.codes == [100, code]
    assert stage.octets_to(CARRIER_A_SPARE) == []


@pytest.mark.clause("PRX-37", "RFC 3261 16.7 (6)")
def test_a_lone_503_goes_back_as_500() -> None:
    """When every target says 503, the caller hears 500."""
    stage = Stage(scripts={"carrier-a": refusing(503), "carrier-a-spare": refusing(503)})
    stage.call()
    assert stage.pbx.codes == [100, 500]
    assert stage.record("end")["code"] == 500
    stage.settle()


@pytest.mark.clause("FRK-04", "RFC 3261 16.7 (6)")
def test_the_best_response_goes_back() -> None:
    """503 and then 486: the caller hears 486."""
    stage = Stage(scripts={"carrier-a": refusing(503), "carrier-a-spare": refusing(486)})
    stage.call()
    assert stage.pbx.codes == [100, 486]


@pytest.mark.clause("FRK-04", "EMG-16", "RFC 3261 16.7 (6)")
@pytest.mark.parametrize(
    ("first", "second", "heard"),
    [
        (486, 503, 486),
        (503, 486, 486),
        (404, 486, 404),
        (486, 484, 484),
        (302, 404, 302),
        (500, 404, 404),
        (486, 603, 603),
    ],
)
def test_the_best_of_two_goes_back_whichever_came_first(first: int, second: int, heard: int) -> None:
    """An emergency call hears both targets out; the lowest class wins, 6xx before all, and it is the only answer."""
    other = ("192.0.2.42", 5060)
    scripts = {"rescue": refusing(first), "rescue-spare": refusing(second)}
    stage = Stage(trunks=changed("rescue", targets=(target(RESCUE), target(other))), scripts=scripts)
    stage.agent(other, "rescue-spare")
    stage.call(uri="sip:911@192.0.2.1")
    assert stage.pbx.codes == [100, heard]
    stage.settle()


@pytest.mark.clause("PRX-33", "RFC 3261 16.7 (7)")
def test_challenges_of_several_targets_are_gathered() -> None:
    """Two emergency targets ask for credentials: the caller gets the 401 with every row of the 407 in it."""
    other = ("192.0.2.42", 5060)
    digest, basic = 'Digest realm="one", nonce="1"', 'Digest realm="two", nonce="2", qop="auth,auth-int"'
    more = 'Digest realm="two", nonce="3", algorithm=SHA-256'
    stage = Stage(
        trunks=changed("rescue", targets=(target(RESCUE), target(other))),
        scripts={
            "rescue": refusing(401, ("www-authenticate", digest)),
            "rescue-spare": refusing(407, ("proxy-authenticate", basic), ("proxy-authenticate", more)),
        },
    )
    stage.agent(other, "rescue-spare")
    stage.call(uri="sip:911@192.0.2.1")
    assert stage.pbx.codes == [100, 401]
    answer = stage.pbx.responses[-1]
    assert answer.values("www-authenticate") == [digest]
    assert answer.values("proxy-authenticate") == [basic, more]
    stage.settle()


@pytest.mark.clause("PRX-33")
def test_a_challenge_that_is_not_the_answer_adds_nothing() -> None:
    """401, 401 and then 603: the 603 goes back as it came."""
    others = (("192.0.2.42", 5060), ("192.0.2.43", 5060))
    challenge = refusing(401, ("www-authenticate", 'Digest realm="one"'))
    stage = Stage(
        trunks=changed("rescue", targets=(target(RESCUE), *map(target, others))),
        scripts={"rescue": challenge, "second": challenge, "third": refusing(603)},
    )
    stage.agent(others[0], "second")
    stage.agent(others[1], "third")
    stage.call(uri="sip:911@192.0.2.1")
    assert stage.pbx.codes == [100, 603]
    assert not stage.pbx.responses[-1].has("www-authenticate")


@pytest.mark.clause("FRK-05", "TXN-33")
def test_two_silent_targets_are_one_408() -> None:
    """Nobody answers: exactly one 408, after both have timed out."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.network.detach(CARRIER_A_SPARE)
    stage.call(70)
    finals = [data[:11] for data in stage.octets_to(ACME_PBX) if not data.startswith(b"SIP/2.0 100")]
    assert set(finals) == {b"SIP/2.0 408"}
    assert stage.record("end")["code"] == 408
    stage.settle()


@pytest.mark.clause("TXN-23", "RFC 3261 16.8")
def test_timer_c_ends_an_invite_that_only_rings() -> None:
    """Three minutes after the last 180 the target is cancelled, and the caller hears 408."""
    stage = Stage(scripts={"carrier-a": ringing()})
    stage.call(180)
    assert stage.pbx.codes == [100, 180]
    stage.network.run(3)
    assert stage.carrier.cancelled == 1
    assert stage.pbx.codes == [100, 180, 408]
    assert stage.octets_to(CARRIER_A_SPARE) == []
    assert stage.record("end")["code"] == 408
    stage.settle()


@pytest.mark.clause("TXN-23", "RFC 3261 16.7 (2)")
def test_each_provisional_response_starts_timer_c_anew() -> None:
    """A call that keeps ringing every minute is left alone."""
    stage = Stage(scripts={"carrier-a": ringing()})
    stage.call(1)
    request = stage.carrier.requests[0]
    rows = [f"{name}: {request.required(name)}" for name in ("from", "to", "call-id", "cseq")]
    vias = [f"Via: {value}" for value in request.listed("via")]
    for _ in range(5):
        stage.network.run(100)
        stage.network.inject(octets("SIP/2.0 180 Ringing", *vias, *rows), flow_from(CARRIER_A))
    assert stage.carrier.cancelled == 0
    assert set(stage.pbx.codes) == {100, 180}


@pytest.mark.clause("TXN-23", "FRK-01")
def test_a_2xx_that_wins_against_timer_c_is_delivered() -> None:
    """The callee answers while our CANCEL is on its way: the caller gets the 200, not 408."""
    stage = Stage(scripts={"carrier-a": Script(ring_after=0.1, answer_after=181.104)})
    stage.call(190)
    assert stage.carrier.cancelled == 1
    assert stage.pbx.codes == [100, 180, 200]
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("TXN-23")
def test_timer_c_with_a_target_that_ignores_cancel() -> None:
    """A target that neither answers nor ends its INVITE costs 64*T1 more, then the caller hears 408."""
    stage = Stage(scripts={"carrier-a": ringing()})
    stage.call(1)
    stage.carrier.cancel = lambda transaction, invite, now: stage.carrier.answer(transaction, 200, (), now)  # type: ignore[method-assign]
    stage.network.run(181 + 33)
    assert stage.pbx.codes == [100, 180, 408]


@pytest.mark.clause("FRK-18", "FRK-11", "RFC 3263 4.2")
def test_a_named_target_is_resolved_and_each_address_tried() -> None:
    """A target with a host name is asked for once, and its addresses are tried in order."""
    trunks = changed("carrier-a", targets=(target(("carrier.example", 5060)),))
    stage = Stage(trunks=trunks, scripts={"carrier-a": refusing(503)})
    need = TargetNeed("carrier.example", 5060, "udp")
    stage.network.answers[need] = TargetAnswer((Server("udp", *CARRIER_A), Server("udp", *CARRIER_A_SPARE)))
    stage.call()
    assert stage.pbx.codes == [100, 180, 200]
    assert stage.network.asked.count(need) == 1
    assert stage.spare.requests[0].uri == "sip:+12125550123@carrier.example;user=phone"


@pytest.mark.clause("FRK-18", "PRX-25")
def test_a_name_without_an_address_is_passed_over() -> None:
    """A name that does not resolve in time costs its wait, then the next target is tried."""
    trunks = changed("carrier-a", targets=(target(("nowhere.example", 5060)), target(CARRIER_A)))
    stage = Stage(trunks=trunks)
    stage.call(1)
    assert stage.pbx.codes == [100]
    stage.network.run(3)
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("PRX-26")
def test_without_any_reachable_target_it_is_480() -> None:
    """When the only name does not resolve, the caller hears 480."""
    stage = Stage(trunks=changed("carrier-a", targets=(target(("nowhere.example", 5060)),)))
    stage.network.answers[TargetNeed("nowhere.example", 5060, "udp")] = TargetAnswer((), "no such name")
    stage.call()
    assert stage.pbx.codes == [100, 480]
    stage.settle()


@pytest.mark.clause("TXN-21", "RFC 4320 4.2")
def test_silence_about_a_non_invite_request_is_passed_on() -> None:
    """A MESSAGE nobody answers gets no 408 from us, and leaves nothing behind."""
    stage = Stage()
    for endpoint in (CARRIER_A, CARRIER_A_SPARE):
        stage.network.detach(endpoint)
    stage.call(70, method="MESSAGE")
    heard = {data[:11] for data in stage.octets_to(ACME_PBX)}
    assert heard <= {b"SIP/2.0 100"}
    stage.settle()
