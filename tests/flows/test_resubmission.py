"""Carriers that ask for credentials: the call goes on, the caller never hears of it, and every number fits."""

from typing import Any

import pytest

from sipguard.sip.digest import format_challenge
from sipguard.sip.message import Request
from sipguard.testing.sample import ACME_PBX, CARRIER_A, CARRIER_A_SPARE, OWNED, changed, flow_from, invite
from sipguard.testing.user_agent import UserAgent
from tests.flows.carrier import REALM, USER, WITH_PASSWORD, Carrier, with_carrier
from tests.flows.stage import LONG, Stage, refusing, ringing

WITHIN = ("UPDATE", "INFO", "PRACK", "REFER", "OPTIONS", "INVITE")


def alarms(stage: Stage) -> int:
    """How often our credentials were refused."""
    return stage.engine.counters.get(("alarms", "carrier-credentials"), 0)


def numbers_fit(agent: UserAgent) -> bool:
    """Whether each response the caller heard has the number of its request."""
    sent = {request.via.branch: request.cseq for request in agent._sent.values()}
    return all(response.cseq == sent[response.via.branch] for response in agent.responses)


def say(stage: Stage, agent: UserAgent, method: str, *rows: tuple[str, str]) -> int:
    """Something inside the dialog; the last code heard."""
    request = agent.in_dialog(method)
    for name, value in rows:
        request.append(name, value)
    agent.start(request)
    stage.network.run(2)
    return agent.codes[-1]


@pytest.mark.clause("RFC 3261 22.3", "RFC 3261 22.2", "PRX-31")
@pytest.mark.parametrize("code", [407, 401])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
def test_a_challenge_is_answered_and_the_caller_hears_nothing(code: int, algorithm: str) -> None:
    """The INVITE goes again to the same target: one number higher, on a new branch, with credentials."""
    stage, carrier = with_carrier(code=code, algorithm=algorithm)
    stage.call()
    assert stage.pbx.codes == [100, 180, 200]
    first, again = stage.requests_to(CARRIER_A, "INVITE")
    assert (first.cseq.number, again.cseq.number) == (1, 2)
    assert first.via.branch != again.via.branch
    assert first.required("identity") == again.required("identity")
    assert not first.has("proxy-authorization")
    assert (again.has("proxy-authorization"), again.has("authorization")) == (code == 407, code == 401)
    assert numbers_fit(stage.pbx)
    assert len(carrier.acks) == 1
    assert stage.requests_to(CARRIER_A, "ACK")[0].via.branch == first.via.branch  # of the challenge
    assert stage.events == ["decision", "answer"]
    assert say(stage, stage.pbx, "BYE") == 200
    assert carrier.complaints == []
    assert alarms(stage) == 0
    stage.settle()


@pytest.mark.clause("RFC 3261 12.2.1.1", "RFC 3261 22.1", "PRX-24")
@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("method", WITHIN)
def test_requests_inside_the_dialog_keep_their_order(method: str, once: bool) -> None:
    """From the caller they go on with higher numbers, with credentials at once or after another challenge; ACKs fit."""
    stage, carrier = with_carrier(once=once)
    stage.call()
    for _ in range(3):
        assert say(stage, stage.pbx, method) == 200
    assert len(carrier.challenged) == (4 if once else 1)
    assert carrier.complaints == []
    assert numbers_fit(stage.pbx)
    assert say(stage, stage.pbx, "BYE") == 200
    assert carrier.complaints == []
    stage.settle()


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("method", [*WITHIN, "BYE"])
def test_requests_of_the_carrier_are_not_touched(method: str) -> None:
    """In the other direction numbers stay, and so do the carrier's own credentials."""
    stage, carrier = with_carrier()
    stage.call()
    request = carrier.in_dialog(method)
    carrier.start(request)
    stage.network.run(2)
    arrived = stage.pbx.requests[-1]
    assert (arrived.method, arrived.cseq) == (method, request.cseq)
    assert not arrived.has("proxy-authorization")
    assert carrier.codes[-1] == 200
    if method == "INVITE":
        assert stage.pbx.acks[-1].cseq.number == request.cseq.number


@pytest.mark.clause("RFC 3262 7.2")
def test_a_prack_names_the_invite_by_its_new_number() -> None:
    """RAck's second number is shifted with the INVITE's; what cannot be read stays as it is."""
    stage, _ = with_carrier(asks=("INVITE", "UPDATE"))
    stage.call()
    assert say(stage, stage.pbx, "PRACK", ("rack", "9  1 INVITE")) == 200
    assert say(stage, stage.pbx, "PRACK", ("rack", "9 1 REFER")) == 200
    assert [request.required("rack") for request in stage.requests_to(CARRIER_A, "PRACK")] == [
        "9  2 INVITE",
        "9 1 REFER",
    ]
    assert say(stage, stage.pbx, "UPDATE") == 200
    assert say(stage, stage.pbx, "PRACK", ("rack", "9 1 INVITE")) == 200
    assert stage.requests_to(CARRIER_A, "PRACK")[-1].required("rack") == "9 2 INVITE"


@pytest.mark.clause("RFC 3261 22.1")
def test_the_ack_repeats_the_credentials_of_its_invite() -> None:
    """The same row as in the INVITE that was taken, and its number."""
    stage, _ = with_carrier()
    stage.call()
    (_, again), acks = stage.requests_to(CARRIER_A, "INVITE"), stage.requests_to(CARRIER_A, "ACK")
    assert acks[-1].values("proxy-authorization") == again.values("proxy-authorization")
    assert acks[-1].cseq.number == again.cseq.number == 2


@pytest.mark.clause("RFC 3261 9.1")
def test_a_cancel_goes_with_the_invite_that_was_sent_again() -> None:
    """The caller's CANCEL reaches the second INVITE under its number, and 487 comes back under the caller's."""
    stage, carrier = with_carrier(script=ringing())
    stage.call(1)
    stage.pbx.give_up()
    stage.network.run(2)
    (cancel,) = stage.requests_to(CARRIER_A, "CANCEL")
    assert cancel.cseq.number == 2
    assert cancel.via.branch == stage.requests_to(CARRIER_A, "INVITE")[1].via.branch
    assert stage.pbx.codes[-1] == 487
    assert numbers_fit(stage.pbx)
    assert carrier.cancelled == 1
    stage.settle()


@pytest.mark.clause("RFC 3261 16.10")
def test_a_call_given_up_before_the_challenge_ends_there() -> None:
    """A challenge that crosses the CANCEL is not answered: 487, one INVITE, no alarm."""
    stage, _ = with_carrier()
    stage.pbx.start(invite())
    stage.network.run(0.008)  # the INVITE is at the carrier, its challenge under way
    stage.pbx.give_up()
    stage.network.run(3)
    assert len(stage.requests_to(CARRIER_A, "INVITE")) == 1
    assert stage.pbx.codes[-1] == 487
    assert alarms(stage) == 0
    stage.settle()


@pytest.mark.clause("RFC 7616 3.4", "RFC 7616 3.6")
def test_the_next_call_brings_its_credentials_along() -> None:
    """A nonce that stays good is used with rising counts: no challenge, no shift, and a token as ever."""
    stage, carrier = with_carrier(once=False)
    stage.call()
    stage.hang_up()
    stage.pbx.start(invite(call_id="call-2@sample"))
    stage.network.run(2)
    assert stage.pbx.codes[-1] == 200
    second = stage.requests_to(CARRIER_A, "INVITE")[2]
    assert second.cseq.number == 1
    assert "nc=00000003" in second.required("proxy-authorization")
    assert second.required("record-route").count("~") == 1
    assert say(stage, stage.pbx, "BYE") == 200
    assert len(carrier.challenged) == 1
    assert carrier.complaints == []


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("once", [False, True])
def test_after_a_restart_the_numbers_still_fit(once: bool) -> None:
    """BYE, and re-INVITE with its ACK, of a dialog from before: shifted by the token, and challenged once more."""
    stage, carrier = with_carrier(once=once)
    stage.call()
    stage.network.run(LONG)  # a test's branches repeat after a restart: let the old ones be forgotten
    routes = stage.pbx.in_dialog("INFO").required("route")
    stage.restart()
    assert say(stage, stage.pbx, "INVITE") == 200
    assert len(carrier.acks) == 2
    assert say(stage, stage.pbx, "INFO", ("route", routes)) == 200
    assert say(stage, stage.pbx, "BYE", ("route", routes)) == 200
    assert carrier.complaints == []
    assert numbers_fit(stage.pbx)
    stage.settle()


@pytest.mark.clause("PRX-24")
def test_after_a_restart_the_carrier_is_known_by_the_token_too() -> None:
    """Its requests are not shifted, though nobody remembers the call."""
    stage, carrier = with_carrier()
    stage.call()
    stage.network.engine = stage.sample.restarted()
    request = carrier.in_dialog("BYE")
    carrier.start(request)
    stage.network.run(1)
    assert stage.pbx.requests[-1].cseq == request.cseq
    assert carrier.codes[-1] == 200


@pytest.mark.clause("PRX-24")
def test_a_shifted_token_is_for_its_two_parties_only() -> None:
    """With another tag, another Call-ID or another shift it opens nothing."""
    stage, _ = with_carrier()
    stage.call()
    stage.network.engine = stage.sample.restarted()
    good = stage.pbx.in_dialog("BYE")
    assert "~1." in good.required("route")
    for name, value in (
        ("route", good.required("route").replace("~1.", "~2.")),
        ("call-id", "another@sample"),
        ("from", "<sip:x@y>;tag=another"),
    ):
        bad = good.fork()
        bad.set(name, value)
        bad.set("via", good.required("via") + name)
        (output,) = stage.network.inject(bad.encode(), flow_from(ACME_PBX))
        assert output.data.startswith(b"SIP/2.0 481 ")  # type: ignore[union-attr]


@pytest.mark.clause("PRX-24")
def test_a_request_under_way_while_another_is_challenged() -> None:
    """An UPDATE goes between an INFO and its second try: numbers only rise, and the ACK is the INVITE's."""
    stage, carrier = with_carrier(asks=("INVITE", "INFO"), once=True)
    stage.call(0.3)  # it rings
    carrier.script.answer_after = None
    early = next(response for response in stage.pbx.responses if response.code == 180)
    for method in ("INFO", "UPDATE"):
        stage.pbx.start(inside(stage, early, method))
    stage.network.run(3)
    assert carrier.complaints == []
    assert stage.pbx.codes.count(200) == 3
    assert say(stage, stage.pbx, "BYE") == 200
    assert carrier.complaints == []
    assert numbers_fit(stage.pbx)


@pytest.mark.clause("RFC 3261 12.2.1.1", "PRX-24")
def test_a_customer_that_was_called_has_two_requests_under_way() -> None:
    """Its INFO goes between the two tries of its re-INVITE, whose second number is none that INFO has had."""
    stage, carrier = with_carrier()
    stage.arrives(called=OWNED)
    requests = [stage.pbx.in_dialog(method) for method in ("INVITE", "INFO")]
    for request in requests:
        stage.pbx.start(request)
    stage.network.run(3)
    assert len(carrier.challenged) == 2
    assert carrier.complaints == []
    assert stage.pbx.codes.count(200) == 2
    assert carrier.acks[-1].cseq.number == stage.requests_to(CARRIER_A, "INVITE")[-1].cseq.number
    assert say(stage, stage.pbx, "BYE") == 200
    assert carrier.complaints == []
    assert numbers_fit(stage.pbx)


def inside(stage: Stage, early: Any, method: str) -> Request:
    """A request of the caller inside an early dialog."""
    stage.pbx.responses.append(early)
    sent = next(iter(stage.pbx._sent.values()))
    return stage.pbx._build(
        method, sent, early, early.listed("record-route")[::-1], f"sip:{CARRIER_A[0]}:{CARRIER_A[1]}"
    )


@pytest.mark.clause("RFC 3261 22.3", "PRX-37")
def test_refused_credentials_are_our_own_affair() -> None:
    """A second challenge without stale is a failure here: 500 for the caller, an alarm, and no challenge leaks."""
    stage, carrier = with_carrier(password="wrong", trunks=only_one_target())
    stage.call()
    assert stage.pbx.codes == [100, 500]
    assert not stage.pbx.responses[-1].has("proxy-authenticate")
    assert len(carrier.challenged) == 2
    assert alarms(stage) == 1
    (log,) = [log for log in stage.network.logs if log.event == "carrier.credentials-refused"]
    assert (log.fields["trunk"], log.fields["realm"]) == ("carrier-a", REALM)
    assert stage.record("end")["code"] == 500
    assert numbers_fit(stage.pbx)
    assert "wrong" not in str(stage.network.logs)


def only_one_target() -> Any:
    """The carrier with its first target alone."""
    targets = next(trunk.targets for trunk in WITH_PASSWORD if trunk.name == "carrier-a")[:1]
    return changed("carrier-a", username=USER, password_file="kept elsewhere", realm=REALM, targets=targets)


@pytest.mark.clause("RFC 3263 4.3")
def test_where_credentials_are_refused_the_next_target_is_tried() -> None:
    """As after 503, and there with the number that is already taken; the answer's ACK and BYE fit."""
    stage, carrier = with_carrier(password="wrong")
    spare = Carrier(stage.network, CARRIER_A_SPARE, ("192.0.2.1", 5060), name="spare", password="wrong")
    carrier.password = "another"
    stage.call()
    assert stage.pbx.codes == [100, 180, 200]
    assert [request.cseq.number for request in stage.requests_to(CARRIER_A_SPARE, "INVITE")] == [2, 3]
    assert say(stage, stage.pbx, "BYE") == 200
    assert spare.complaints == carrier.complaints == []
    assert numbers_fit(stage.pbx)
    assert alarms(stage) == 1


@pytest.mark.clause("RFC 7616 3.3")
def test_a_stale_nonce_is_answered_once_more() -> None:
    """stale=true after an answer means another nonce, not another password; but not for ever."""
    stage, carrier = with_carrier(trunks=only_one_target(), stale=True)
    forgetful = iter((False, False, True))
    carrier.is_proved = lambda request: next(forgetful, True)  # type: ignore[method-assign]
    stage.call()
    assert stage.pbx.codes[-1] == 200
    assert [request.cseq.number for request in stage.requests_to(CARRIER_A, "INVITE")] == [1, 2, 3]
    assert carrier.complaints == []
    carrier.is_proved = lambda request: False  # type: ignore[method-assign]
    stage.pbx.start(invite(call_id="call-2@sample"))
    stage.network.run(2)
    assert stage.pbx.codes[-1] == 500
    assert alarms(stage) == 1


@pytest.mark.clause("RFC 3261 22.3", "PRX-34")
def test_a_challenge_for_another_realm_is_the_callers() -> None:
    """It passes as it is, and the caller's answer to it goes through, number and all."""
    stage, carrier = with_carrier(realm="far.example", code=401)
    stage.call()
    assert stage.pbx.codes[-1] == 401
    assert 'realm="far.example"' in stage.pbx.responses[-1].required("www-authenticate")
    assert len(carrier.challenged) == 1
    assert alarms(stage) == 0


@pytest.mark.clause("RFC 8760 2.4", "RFC 3261 22.3")
def test_the_first_challenge_that_is_understood_is_answered() -> None:
    """Unknown algorithms, auth-int alone, other schemes and other realms are passed over."""
    field = "proxy-authenticate"
    others = (
        (field, f'Digest realm="{REALM}", nonce="x", algorithm=SHA-999, qop="auth"'),
        (field, f'Digest realm="{REALM}", nonce="x", algorithm=SHA-256, qop="auth-int"'),
        (field, f'Bearer realm="{REALM}"'),
        (field, format_challenge("far.example", "x", "SHA-256", "x", stale=False)),
    )
    stage, carrier = with_carrier(others=others)
    stage.call()
    assert stage.pbx.codes[-1] == 200
    assert len(carrier.requests[0].values("proxy-authorization")) == 1


@pytest.mark.clause("RFC 3261 22.3")
def test_a_challenge_nobody_here_understands_is_an_alarm() -> None:
    """In our realm, but under an algorithm we do not know: not answered, and not shown to the caller."""
    stage, carrier = with_carrier(trunks=only_one_target(), algorithm="SHA-256")
    carrier.algorithm = "SHA-512-256"
    carrier._challenge = lambda request: answer_unknown(request)  # type: ignore[method-assign]
    stage.call()
    assert stage.pbx.codes[-1] == 500
    assert alarms(stage) == 1


def answer_unknown(request: Request) -> Any:
    """A challenge under an algorithm of the future."""
    from sipguard.sip.response import build_response

    row = ("proxy-authenticate", f'Digest realm="{REALM}", nonce="x", algorithm=SHA-999, qop="auth"')
    return build_response(request, 407, None, "carrier", (row,))


@pytest.mark.clause("RFC 3261 22.3")
def test_without_a_realm_whoever_asks_is_answered() -> None:
    """The trunk's realm is a restriction; where there is none, proxy and user agent may both ask."""
    trunks = changed("carrier-a", username=USER, password_file="kept elsewhere")
    stage, _ = with_carrier(trunks, realm="anything.example", code=401)
    stage.call()
    assert stage.pbx.codes[-1] == 200


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("method", ["SUBSCRIBE", "MESSAGE", "REFER"])
def test_other_requests_outside_dialogs(method: str) -> None:
    """They are sent again as well; a subscription's later requests have its shift from the token."""
    stage, carrier = with_carrier()
    stage.call(method=method)
    assert stage.pbx.codes[-1] == 200
    assert [request.cseq.number for request in stage.requests_to(CARRIER_A, method)] == [1, 2]
    assert numbers_fit(stage.pbx)
    assert carrier.complaints == []


@pytest.mark.clause("RFC 3261 22.2")
@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE"])
def test_a_customer_that_was_called_is_vouched_for_too(method: str) -> None:
    """In a call from the carrier, requests of the customer that the carrier challenges are answered here."""
    stage, carrier = with_carrier(asks=("BYE", "INFO", "INVITE"))
    stage.arrives(called=OWNED)
    assert carrier.codes[-1] == 200
    assert say(stage, stage.pbx, method) == 200
    assert len(carrier.challenged) == 1
    assert carrier.complaints == []
    if method != "BYE":
        assert say(stage, stage.pbx, "BYE") == 200
        assert carrier.complaints == []


@pytest.mark.clause("RFC 3261 22.3")
def test_a_carrier_without_credentials_is_the_callers_business() -> None:
    """Without a user name at that trunk its challenge passes, as a proxy has to pass it."""
    row = ("proxy-authenticate", format_challenge(REALM, "x", "SHA-256", "x", stale=False))
    stage = Stage(scripts={"carrier-a": refusing(407, row)})
    stage.call()
    assert stage.pbx.codes[-1] == 407
    assert stage.pbx.responses[-1].required("proxy-authenticate") == row[1]


@pytest.mark.clause("RFC 3261 8.1.1.5")
def test_a_number_that_cannot_rise_is_not_sent_again() -> None:
    """At the end of the numbers there is no next one: the call fails, and nothing breaks."""
    stage, carrier = with_carrier(trunks=only_one_target())
    request = invite().fork()
    request.set("cseq", f"{2**31 - 1} INVITE")
    stage.pbx.start(request)
    stage.network.run(2)
    assert stage.pbx.codes[-1] == 500
    assert len(carrier.challenged) == 1


@pytest.mark.clause("RFC 3261 18.1.1")
def test_credentials_that_make_a_request_too_large_for_a_datagram() -> None:
    """The second try goes over TCP when the first one did not have to."""
    padding = "x" * (1290 - len(first_size()))
    stage, carrier = with_carrier()
    stage.call(headers=(f"X-Padding: {padding}",))
    flows = [send.flow.transport for _, send in stage.network.sent if send.data.startswith(b"INVITE")]
    assert flows == ["udp", "tcp"]
    assert stage.pbx.codes[-1] == 200
    assert carrier.complaints == []


def first_size() -> bytes:
    """The INVITE as it leaves without padding."""
    stage, _ = with_carrier()
    stage.call(headers=("X-Padding: ",))
    return stage.requests_to(CARRIER_A, "INVITE")[0].encode()


@pytest.mark.clause("RFC 3261 22.3", "RFC 7616 5.9")
@pytest.mark.parametrize("restarted", [False, True])
def test_credentials_go_nowhere_but_to_the_carrier(restarted: bool) -> None:
    """A Contact elsewhere gets the requests of the dialog rightly numbered, and nothing to guess passwords by."""
    elsewhere = ("203.0.113.80", 5060)
    stage, carrier = with_carrier(once=False)
    carrier.contact = f"<sip:{elsewhere[0]}>"
    stage.call()
    stage.agent(elsewhere, "elsewhere")
    stage.network.run(LONG)
    if restarted:
        stage.restart()
    stage.network.sent.clear()
    for method in ("ACK", "INFO"):
        request = stage.pbx.in_dialog(method)
        stage.network.inject(request.encode(), flow_from(ACME_PBX))
        (sent,) = stage.requests_to(elsewhere, method)
        assert sent.cseq.number == request.cseq.number + 1
        assert not sent.has("proxy-authorization")
    assert carrier.complaints == []


@pytest.mark.clause("RFC 3261 22.3", "RFC 5393 5.3.3", "RFC 3841 9.1")
@pytest.mark.parametrize("header", ["Max-Breadth: 1", "Request-Disposition: no-fork", "Max-Forwards: 1"])
def test_sending_again_is_no_fork_and_no_hop(header: str) -> None:
    """The second INVITE takes the place of the first: limits on branches and hops do not stand in its way."""
    stage, carrier = with_carrier()
    request = invite(headers=(header,) if not header.startswith("Max-F") else ()).fork()
    if header.startswith("Max-F"):
        request.set("max-forwards", "1")
    stage.pbx.start(request)
    stage.network.run(2)
    assert stage.pbx.codes[-1] == 200
    first, again = stage.requests_to(CARRIER_A, "INVITE")
    for name in ("max-forwards", "max-breadth", "request-disposition"):
        assert first.values(name) == again.values(name)
    assert carrier.complaints == []


@pytest.mark.clause("RFC 7616 3.4")
def test_a_nonce_is_nobody_elses_until_its_first_answer_was_taken() -> None:
    """Datagrams overtake each other: a count of 2 before that of 1 would have the call refused a second time."""
    stage, carrier = with_carrier(once=False)
    stage.call()
    stage.hang_up()
    carrier._nonces["nonce-1"] = 2**32  # it wants another one now
    before = len(stage.requests_to(CARRIER_A, "INVITE"))
    stage.pbx.start(invite(call_id="call-2@sample"))
    while len(stage.requests_to(CARRIER_A, "INVITE")) < before + 2:  # challenged, and on its way again
        stage.network.run(0.001)
    stage.pbx.start(invite(call_id="call-3@sample"))
    stage.network.run(3)
    invites = stage.requests_to(CARRIER_A, "INVITE")[before:]
    again = [request.required("proxy-authorization") for request in invites if request.cseq.number == 2]
    (meanwhile,) = [
        request.required("proxy-authorization")
        for request in invites
        if request.call_id == "call-3@sample" and request.cseq.number == 1
    ]
    assert [value.count("nc=00000001") for value in again] == [1, 1]
    assert 'nonce="nonce-1"' in meanwhile
    assert stage.pbx.codes.count(200) == 4
    stage.pbx.start(invite(call_id="call-4@sample"))
    stage.network.run(3)
    assert stage.pbx.codes.count(200) == 5
    assert alarms(stage) == 0
    assert carrier.complaints == []
