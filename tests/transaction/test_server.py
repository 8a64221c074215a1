"""The server transactions: RFC 3261 §17.2, RFC 6026 §7.1, RFC 4320 §4."""

import pytest

from sipguard.sip.flow import Flow
from sipguard.sip.response import build_response
from sipguard.transaction.states import ServerState
from tests.transaction.stage import CALLER, CALLER_TCP, Stage, request


@pytest.mark.clause("TXN-07", "TXN-08", "RFC 6026 7.1")
def test_an_accepted_invite_absorbs_retransmissions_and_passes_acks_on() -> None:
    """After a 2xx a repeated INVITE is swallowed, nothing is sent by itself, ACKs go to the user; Timer L ends it."""
    stage = Stage()
    transaction = stage.serve(request())
    stage.answer(transaction, 200)
    assert transaction.state is ServerState.ACCEPTED
    stage.until(1.0)
    stage.receive(request())
    stage.receive(request("ACK"))
    stage.receive(request("ACK"))
    stage.until(31.875)
    stage.receive(request())
    assert stage.left() == ["200"]
    assert stage.heard() == ["request", "ack", "ack"]
    stage.until(32.0)
    assert stage.heard()[-1] == "gone"
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-08", "RFC 6026 7.1")
def test_a_2xx_the_user_passes_again_leaves_again() -> None:
    """In Accepted the user's further 2xx, and nothing else of its, is sent."""
    stage = Stage()
    transaction = stage.serve(request())
    for code in (200, 200, 180, 486):
        stage.answer(transaction, code)
    assert stage.left() == ["200", "200"]


@pytest.mark.clause("TXN-13", "RFC 3261 17.2.1")
def test_a_silent_user_gets_a_100_sent_for_it_within_200_ms() -> None:
    """When the user says nothing for 200 ms, the layer sends 100 (Trying) without a To tag."""
    stage = Stage()
    transaction = stage.serve(request())
    stage.until(10.0)
    assert stage.times("100") == [0.2]
    assert stage.sent[0][2].to.tag is None
    assert transaction.state is ServerState.PROCEEDING


@pytest.mark.clause("TXN-13", "RFC 3261 17.2.1")
@pytest.mark.parametrize("code", [180, 200, 486])
def test_a_user_that_answers_in_time_needs_no_100(code: int) -> None:
    """A response given before the 200 ms are over takes the place of the layer's 100."""
    stage = Stage()
    transaction = stage.serve(request())
    stage.until(0.125)
    stage.answer(transaction, code)
    stage.until(0.5)
    assert stage.left() == [str(code)]


@pytest.mark.clause("TXN-13", "RFC 3261 17.2.1")
def test_a_repeated_invite_gets_the_last_response_again() -> None:
    """A retransmitted INVITE is answered with the last response and never reaches the user a second time."""
    stage = Stage()
    transaction = stage.serve(request())
    stage.receive(request())
    assert stage.left() == []
    for code in (100, 180):
        stage.answer(transaction, code)
        stage.receive(request())
    assert stage.left() == ["100", "100", "180", "180"]
    assert stage.heard() == ["request"]


@pytest.mark.clause("TXN-14", "RFC 3261 17.2.1")
def test_a_failure_is_retransmitted_up_to_every_t2_until_timer_h() -> None:
    """Without an ACK a 486 leaves at 0, 0.5, 1.5, 3.5 and then every 4 s; after 32 s the transaction is gone."""
    stage = Stage()
    stage.answer(stage.serve(request()), 486)
    stage.until(31.75)
    assert stage.times("486") == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    stage.until(100.0)
    assert len(stage.sent) == 11
    assert stage.heard() == ["request", "gone"]
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-14", "RFC 3261 17.2.1")
def test_a_failure_over_tcp_is_sent_once_and_still_waits_for_the_ack() -> None:
    """Over a reliable transport Timer G isn't started, Timer H is; a repeated INVITE gets the response again."""
    stage = Stage()
    transaction = stage.serve(request(), CALLER_TCP)
    stage.answer(transaction, 486)
    stage.until(20.0)
    assert stage.times("486") == [0.0]
    stage.receive(request(), CALLER_TCP)
    assert stage.times("486") == [0.0, 20.0]
    stage.until(32.0)
    assert stage.heard() == ["request", "gone"]


@pytest.mark.clause("TXN-15", "RFC 3261 17.2.1")
def test_the_ack_for_a_failure_stops_it_and_is_absorbed() -> None:
    """The ACK for a 486, and its repetitions while Timer I runs, stay in the transaction; nothing is sent any more."""
    stage = Stage()
    transaction = stage.serve(request())
    stage.answer(transaction, 486)
    stage.until(0.75)
    stage.receive(request("ACK", to_tag="us"))
    stage.until(5.5)
    stage.receive(request("ACK", to_tag="us"))
    stage.receive(request())
    assert transaction.state is ServerState.CONFIRMED
    assert stage.times("486") == [0.0, 0.5]
    assert stage.heard() == ["request"]
    stage.until(5.75)
    assert stage.heard() == ["request", "gone"]
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-15", "RFC 3261 17.2.1")
def test_timer_i_is_zero_over_tcp() -> None:
    """Over a reliable transport the ACK for a failure ends the transaction at once."""
    stage = Stage()
    stage.answer(stage.serve(request(), CALLER_TCP), 486)
    stage.receive(request("ACK", to_tag="us"), CALLER_TCP)
    assert stage.heard() == ["request", "gone"]
    assert len(stage.timers) == 0


@pytest.mark.clause("TXN-16", "RFC 3261 17.2.2")
def test_a_repeated_bye_gets_the_same_200_for_64_t1() -> None:
    """Timer J keeps the final response for 32 s: a BYE repeated after 10 s gets the same octets and isn't passed up."""
    stage = Stage()
    transaction = stage.serve(request("BYE"))
    stage.receive(request("BYE"))
    assert stage.left() == []
    stage.until(0.5)
    stage.answer(transaction, 200)
    stage.answer(transaction, 500)
    stage.until(10.0)
    stage.receive(request("BYE"))
    assert stage.left() == ["200", "200"]
    assert stage.sent[0][2].encode() == stage.sent[1][2].encode()
    assert stage.heard() == ["request"]
    stage.until(32.5)
    assert stage.heard() == ["request", "gone"]
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-16", "RFC 3261 17.2.2")
def test_timer_j_is_zero_over_tcp() -> None:
    """Over a reliable transport the final response ends a non-INVITE transaction at once."""
    stage = Stage()
    transaction = stage.serve(request("BYE"), CALLER_TCP)
    stage.answer(transaction, 200)
    assert stage.heard() == ["request", "gone"]
    assert transaction.state is ServerState.TERMINATED
    assert len(stage.timers) == 0


@pytest.mark.clause("TXN-20", "RFC 4320 4.1")
def test_a_slow_non_invite_request_gets_one_100_when_timer_e_reaches_t2() -> None:
    """No provisional response of the user's leaves; the layer sends 100 after 3.5 s and repeats it on request."""
    stage = Stage()
    transaction = stage.serve(request("OPTIONS"))
    for code in (100, 180, 183):
        stage.answer(transaction, code)
    stage.until(3.25)
    stage.receive(request("OPTIONS"))
    assert stage.left() == []
    stage.until(7.5)
    stage.receive(request("OPTIONS"))
    assert stage.times("100") == [3.5, 7.5]
    stage.answer(transaction, 200)
    stage.until(30.0)
    stage.receive(request("OPTIONS"))
    assert stage.left() == ["100", "100", "200", "200"]


@pytest.mark.clause("TXN-20", "RFC 4320 4.1")
def test_a_quick_answer_to_a_non_invite_request_needs_no_100() -> None:
    """A request answered before 3.5 s never gets a 100."""
    stage = Stage()
    transaction = stage.serve(request("OPTIONS"))
    stage.until(3.0)
    stage.answer(transaction, 200)
    stage.until(20.0)
    assert stage.left() == ["200"]


@pytest.mark.clause("TXN-21", "RFC 4320 4.2")
def test_a_non_invite_request_nobody_answers_ends_in_silence() -> None:
    """No 408 leaves, even if the user gives one; the transaction ends when no retransmission can come any more."""
    stage = Stage()
    transaction = stage.serve(request("BYE"), CALLER)
    stage.until(32.0)
    stage.answer(transaction, 408)
    stage.until(36.75)
    stage.receive(request("BYE"))
    assert stage.heard() == ["request"]
    stage.until(37.0)
    assert stage.left() == ["100", "100"]
    assert stage.heard() == ["request", "gone"]
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-21", "RFC 4320 4.2")
def test_an_invite_may_be_answered_with_408() -> None:
    """The ban on 408 is for non-INVITE requests."""
    stage = Stage()
    stage.answer(stage.serve(request()), 408)
    assert stage.left() == ["408"]


@pytest.mark.clause("TXN-22", "RFC 4320 4.2")
def test_a_late_response_to_a_non_invite_request_is_dropped() -> None:
    """What the user answers after the server transaction ended is not sent."""
    stage = Stage()
    transaction = stage.serve(request("BYE"))
    stage.until(40.0)
    stage.answer(transaction, 200)
    assert stage.left() == ["100"]


@pytest.mark.clause("TXN-10", "RFC 6026 8.3")
def test_a_2xx_for_a_server_transaction_that_is_gone_is_discarded() -> None:
    """When Timer L has ended the INVITE server transaction, a late 2xx isn't sent (RFC 6026 §8.3 discards it)."""
    stage = Stage()
    transaction = stage.serve(request())
    stage.answer(transaction, 200)
    stage.until(32.0)
    stage.answer(transaction, 200)
    assert stage.left() == ["200"]


@pytest.mark.clause("TXN-25", "RFC 6026 7.1", "RFC 3261 18.2.2")
@pytest.mark.parametrize(
    ("sent_by", "transport", "port"),
    [("192.0.2.1:5070", "tcp", 5070), ("pbx.example", "tcp", 5060), ("pbx.example", "tls", 5061)],
)
def test_a_lost_connection_leaves_the_server_transaction_and_reroutes_its_responses(
    sent_by: str, transport: str, port: int
) -> None:
    """After its connection is lost a transaction goes on, answering to the source address and the Via's port."""
    stage = Stage()
    connection = Flow(1, transport, "192.0.2.1", 40_000, 3)
    transaction = stage.serve(request(sent_by=sent_by), connection)
    stage.answer(transaction, 180)
    stage.layer.lost(connection, 0.0)
    stage.answer(transaction, 200)
    assert [flow for _, flow, _ in stage.sent] == [connection, Flow(1, transport, "192.0.2.1", port)]
    stage.layer.lost(Flow(1, transport, "192.0.2.1", port), 0.0)
    stage.receive(request(sent_by=sent_by), connection._replace(connection=9))
    assert transaction.state is ServerState.ACCEPTED
    assert stage.heard() == ["request", "stranded"]
    stage.until(40.0)
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("FRK-14", "PRX-19", "RFC 3263 5")
def test_a_sender_that_was_found_elsewhere_gets_what_was_sent_last() -> None:
    """The ways the user names are tried in turn, each with the last response; when none is left, that is all."""
    stage = Stage()
    connection = Flow(1, "tcp", "192.0.2.1", 40_000, 3)
    first, second = Flow(1, "tcp", "192.0.2.8", 5060), Flow(1, "tcp", "192.0.2.9", 5060)
    transaction = stage.serve(request(sent_by="pbx.example"), connection)
    stage.layer.lost(connection, 0.0)
    stage.answer(transaction, 486)
    stage.layer.lost(Flow(1, "tcp", "192.0.2.1", 5060), 0.0)
    assert stage.heard() == ["request", "stranded"]
    stage.layer.find_sender(transaction, [first, second])
    stage.layer.lost(first, 0.0)
    stage.layer.lost(second, 0.0)
    stage.layer.lost(second, 0.0)
    assert [(flow, response.code) for _, flow, response in stage.sent[1:]] == [(first, 486), (second, 486)]
    assert stage.heard() == ["request", "stranded"]
    stage.until(40.0)
    assert stage.layer.open_transactions == 0
    stage.layer.find_sender(transaction, [first])
    assert len(stage.sent) == 3


@pytest.mark.clause("FRK-14")
def test_an_answer_to_another_request_waits_for_its_sender_to_be_found() -> None:
    """Over a stream a non-INVITE transaction ends with its answer, unless the answer may not have arrived."""
    stage = Stage()
    connection = Flow(1, "tcp", "192.0.2.1", 40_000, 3)
    transaction = stage.serve(request("MESSAGE", sent_by="pbx.example"), connection)
    stage.layer.lost(connection, 0.0)
    stage.answer(transaction, 200)
    assert transaction.state is ServerState.COMPLETED
    stage.layer.lost(Flow(1, "tcp", "192.0.2.1", 5060), 0.0)
    stage.layer.find_sender(transaction, [Flow(1, "tcp", "192.0.2.8", 5060)])
    assert [flow.host for _, flow, _ in stage.sent] == ["192.0.2.1", "192.0.2.8"]
    stage.until(40.0)
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("RFC 3261 18.2.2", "RFC 3581 4")
@pytest.mark.parametrize(
    ("sent_by", "parameters", "port"),
    [
        ("192.0.2.1", ";rport=6000;received=192.0.2.1", 6000),
        ("192.0.2.1:5070", "", 5070),
        ("pbx.example", ";received=192.0.2.1", 5060),
        ("192.0.2.1:5070", ";maddr=203.0.113.99", 5070),
    ],
)
def test_a_response_over_udp_goes_to_the_source_address(sent_by: str, parameters: str, port: int) -> None:
    """Over UDP a response goes to the source address, to the source port with rport, else to the Via's; never maddr."""
    stage = Stage()
    source = CALLER._replace(port=6000)
    stage.answer(stage.serve(request(sent_by=sent_by, via_parameters=parameters), source), 100)
    assert stage.sent[0][1] == CALLER._replace(port=port)


@pytest.mark.clause("TXN-31", "RFC 3261 17.2.1")
@pytest.mark.parametrize("final", [200, 486])
def test_a_provisional_response_after_the_final_one_is_ignored(final: int) -> None:
    """A 180 overtaken by the final response isn't sent, nor is it what a retransmission gets."""
    stage = Stage()
    transaction = stage.serve(request())
    stage.answer(transaction, final)
    stage.answer(transaction, 180)
    assert stage.left() == [str(final)]
    assert transaction.last_response is not None
    assert transaction.last_response.code == final


@pytest.mark.clause("RFC 3261 17.2.1")
def test_a_second_final_response_is_ignored() -> None:
    """After a failure neither another failure nor a 2xx is sent."""
    stage = Stage()
    transaction = stage.serve(request())
    for code in (487, 486, 200):
        stage.answer(transaction, code)
    assert stage.left() == ["487"]


@pytest.mark.clause("RFC 3261 26.3.2.4")
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
@pytest.mark.parametrize("flow", [CALLER, CALLER_TCP])
def test_a_single_response_is_forgotten_at_once(method: str, flow: Flow) -> None:
    """It leaves once and never again, nothing stays behind, and the same request is a new one."""
    stage = Stage()
    for _ in range(2):
        transaction = stage.serve(request(method), flow)
        stage.layer.respond_once(transaction, build_response(transaction.request, 407, None, "us"), stage.now)
        assert transaction.state is ServerState.TERMINATED
        assert stage.layer.open_transactions == 0
        stage.until(stage.now + 40)
    assert stage.left() == ["407", "407"]
