"""The client transactions: RFC 3261 §17.1 and RFC 6026 §7.2."""

import pytest

from sipguard.sip.response import build_response
from sipguard.transaction.settings import TimerSettings
from sipguard.transaction.states import ClientState
from tests.transaction.stage import CARRIER, CARRIER_TCP, Stage, request

DOUBLING = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


@pytest.mark.clause("TXN-01", "RFC 3261 17.1.1.2")
def test_an_unanswered_invite_is_retransmitted_with_doubling_intervals_until_timer_b() -> None:
    """Over UDP an unanswered INVITE leaves at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s; at 32 s the user hears of it."""
    stage = Stage()
    transaction = stage.start(request())
    stage.until(31.75)
    assert stage.times("INVITE") == DOUBLING
    assert stage.told == []
    stage.until(32.0)
    assert stage.heard() == ["timed_out"]
    assert transaction.state is ClientState.TERMINATED
    stage.until(100.0)
    assert stage.times("INVITE") == DOUBLING
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-02", "RFC 3261 17.1.1.2")
def test_an_invite_over_tcp_is_sent_once_and_still_times_out() -> None:
    """Over a reliable transport Timer A isn't started, Timer B is."""
    stage = Stage()
    stage.start(request(), CARRIER_TCP)
    stage.until(31.75)
    assert stage.times("INVITE") == [0.0]
    stage.until(32.0)
    assert stage.heard() == ["timed_out"]
    assert len(stage.timers) == 0


@pytest.mark.clause("TXN-03", "RFC 3261 17.1.1.2")
def test_a_provisional_response_stops_the_retransmissions() -> None:
    """After a 100 the INVITE isn't sent again, Timer B is off, and every provisional response reaches the user."""
    stage = Stage()
    transaction = stage.start(request())
    stage.until(0.625)
    for code in (100, 180, 183):
        stage.reply(transaction, code)
    stage.until(150.0)
    assert stage.times("INVITE") == [0.0, 0.5]
    assert stage.heard() == ["100", "180", "183"]
    assert transaction.state is ClientState.PROCEEDING


@pytest.mark.clause("TXN-04", "RFC 3261 17.1.1.3")
def test_the_ack_for_a_failure_is_made_from_the_invite() -> None:
    """The ACK for a non-2xx repeats URI, top Via, From, Call-ID, CSeq number and Route, and the response's To."""
    stage = Stage()
    invite = request(
        branch="z9hG4bK-ours;x=1",
        headers=("Route: <sip:198.51.100.9;lr>", "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother", "Require: 100rel",
                 "Proxy-Require: x", "Route: <sip:198.51.100.10;lr>", "Content-Type: application/sdp"),
    )  # fmt: skip
    transaction = stage.start(invite)
    stage.reply(transaction, 486, to_tag="busy")
    when, flow, ack = stage.sent[-1]
    assert (when, flow, ack.method, ack.uri) == (0.0, CARRIER, "ACK", invite.uri)
    assert ack.listed("via") == ["SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-ours;x=1"]
    assert ack.via.branch == "z9hG4bK-ours"
    assert ack.value("cseq") == "1 ACK"
    assert ack.to.tag == "busy"
    assert [ack.value(name) for name in ("from", "call-id")] == [invite.value(name) for name in ("from", "call-id")]
    assert ack.values("route") == ["<sip:198.51.100.9;lr>", "<sip:198.51.100.10;lr>"]
    assert ack.value("max-forwards") == "70"
    assert not any(ack.has(name) for name in ("require", "proxy-require", "content-type"))
    assert ack.value("content-length") == "0"
    assert ack.body == b""


@pytest.mark.clause("TXN-05", "RFC 6026 8.4")
def test_a_repeated_failure_gets_the_ack_again_and_stays_below_the_user() -> None:
    """In Completed a repeated final response gets the ACK once more and isn't passed up; Timer D ends it after 32 s."""
    stage = Stage()
    transaction = stage.start(request())
    stage.until(1.0)
    for _ in range(3):
        stage.reply(transaction, 486)
    stage.reply(transaction, 180)
    stage.reply(transaction, 200)
    assert stage.times("ACK") == [1.0, 1.0, 1.0]
    assert stage.heard() == ["486"]
    stage.until(32.875)
    assert transaction.state is ClientState.COMPLETED
    stage.until(33.0)
    assert stage.layer.open_transactions == 0
    assert stage.heard() == ["486"]


@pytest.mark.clause("TXN-05", "RFC 6026 8.4")
def test_timer_d_is_zero_over_tcp() -> None:
    """Over a reliable transport the ACK is sent and the transaction ends at once."""
    stage = Stage()
    transaction = stage.start(request(), CARRIER_TCP)
    stage.reply(transaction, 503)
    assert stage.left() == ["INVITE", "ACK"]
    assert stage.heard() == ["503"]
    assert stage.layer.open_transactions == 0
    assert len(stage.timers) == 0


@pytest.mark.clause("TXN-05", "RFC 6026 8.4")
def test_timer_d_is_at_least_32_seconds_whatever_t1_is() -> None:
    """The peer's T1 isn't known: with a small T1 of our own, Timer D still takes 32 s."""
    stage = Stage(TimerSettings(t1=0.125))
    transaction = stage.start(request())
    stage.reply(transaction, 486)
    stage.until(31.75)
    assert stage.layer.open_transactions == 1
    stage.until(32.0)
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-06", "RFC 6026 7.2")
def test_every_2xx_to_an_invite_reaches_the_user_for_64_t1() -> None:
    """In Accepted each 2xx goes up, retransmitted or of another fork; nothing is acknowledged; Timer M ends it."""
    stage = Stage()
    transaction = stage.start(request())
    stage.reply(transaction, 180)
    stage.until(2.0)
    for tag in ("one", "one", "one", "two"):
        stage.reply(transaction, 200, to_tag=tag)
    stage.reply(transaction, 486)
    stage.reply(transaction, 183)
    assert transaction.state is ClientState.ACCEPTED
    assert [told.message.to.tag for told in stage.told[1:]] == ["one", "one", "one", "two"]
    assert stage.left() == ["INVITE"]
    stage.until(33.875)
    stage.reply(transaction, 200, to_tag="one")
    assert stage.heard() == ["180"] + ["200"] * 5
    stage.until(34.0)
    assert stage.layer.open_transactions == 0
    stage.reply(transaction, 200, to_tag="one")
    assert stage.heard() == ["180"] + ["200"] * 5


@pytest.mark.clause("TXN-11", "RFC 3261 17.1.2.2")
def test_an_unanswered_bye_is_retransmitted_up_to_every_t2() -> None:
    """Over UDP a non-INVITE request leaves at 0, 0.5, 1.5, 3.5 and then every 4 s, until Timer F at 32 s."""
    stage = Stage()
    stage.start(request("BYE"))
    stage.until(100.0)
    assert stage.times("BYE") == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert stage.heard() == ["timed_out"]
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-11", "RFC 3261 17.1.2.2")
def test_after_a_provisional_response_a_bye_is_repeated_every_t2() -> None:
    """In Proceeding Timer E is reset to T2 each time it fires, and Timer F goes on."""
    stage = Stage()
    transaction = stage.start(request("BYE"))
    stage.until(0.25)
    stage.reply(transaction, 100)
    stage.until(100.0)
    assert stage.times("BYE") == [0.0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert stage.heard() == ["100", "timed_out"]


@pytest.mark.clause("TXN-11", "RFC 3261 17.1.2.2")
def test_a_bye_over_tcp_is_sent_once() -> None:
    """Over a reliable transport Timer E isn't started; Timer F is."""
    stage = Stage()
    stage.start(request("BYE"), CARRIER_TCP)
    stage.until(100.0)
    assert stage.times("BYE") == [0.0]
    assert stage.heard() == ["timed_out"]


@pytest.mark.clause("TXN-12", "RFC 3261 17.1.2.2")
@pytest.mark.parametrize("code", [200, 404])
def test_a_repeated_final_response_to_a_non_invite_request_is_absorbed(code: int) -> None:
    """Timer K keeps the transaction for T4 so that only the first final response reaches the user."""
    stage = Stage()
    transaction = stage.start(request("OPTIONS"))
    stage.reply(transaction, code)
    stage.until(4.5)
    stage.reply(transaction, code)
    assert stage.heard() == [str(code)]
    assert transaction.state is ClientState.COMPLETED
    stage.until(5.0)
    assert stage.layer.open_transactions == 0
    assert stage.times("OPTIONS") == [0.0]


@pytest.mark.clause("TXN-12", "RFC 3261 17.1.2.2")
def test_timer_k_is_zero_over_tcp() -> None:
    """Over a reliable transport a final response ends a non-INVITE transaction at once."""
    stage = Stage()
    transaction = stage.start(request("OPTIONS"), CARRIER_TCP)
    stage.reply(transaction, 200)
    assert stage.heard() == ["200"]
    assert stage.layer.open_transactions == 0
    assert len(stage.timers) == 0


@pytest.mark.clause("TXN-09", "RFC 6026 7.3")
def test_a_response_without_a_transaction_is_dropped() -> None:
    """A response with a branch we didn't make, or none, goes nowhere."""
    stage = Stage()
    stage.start(request())
    stage.receive(build_response(request(branch="z9hG4bK-forged"), 200), CARRIER)
    stage.receive(build_response(request(branch=None), 200), CARRIER)
    assert stage.told == []
    assert stage.left() == ["INVITE"]


@pytest.mark.clause("TXN-18", "RFC 3261 17.1.3")
def test_a_response_is_matched_by_branch_and_cseq_method() -> None:
    """The 200 to a CANCEL on the INVITE's branch leaves the INVITE where it was."""
    stage = Stage()
    transaction = stage.start(request())
    stage.receive(build_response(request("CANCEL"), 200), CARRIER)
    assert transaction.state is ClientState.CALLING
    assert stage.told == []


@pytest.mark.clause("TXN-24", "RFC 3261 17.1.4")
@pytest.mark.parametrize("method", ["INVITE", "BYE"])
@pytest.mark.parametrize("flow", [CARRIER, CARRIER_TCP])
def test_a_transport_failure_reaches_the_user_at_once(method: str, flow: object) -> None:
    """When a flow fails, its waiting client transactions end and say unreachable; those on other flows go on."""
    stage = Stage()
    failed = stage.start(request(method), flow)  # type: ignore[arg-type]
    other = stage.start(request(method, branch="z9hG4bK-2"), CARRIER._replace(port=5070))
    stage.layer.lost(failed.flow, 0.0)
    assert [(told.what, told.subject) for told in stage.told] == [("unreachable", failed)]
    assert failed.state is ClientState.TERMINATED
    assert other.state is not ClientState.TERMINATED
    assert stage.layer.open_transactions == 1


@pytest.mark.clause("TXN-24", "RFC 3261 17.1.4")
def test_a_transport_failure_after_the_final_response_is_no_news() -> None:
    """In Accepted a failure changes nothing; in Completed it ends the transaction; the user hears of neither."""
    stage = Stage()
    accepted = stage.start(request())
    stage.reply(accepted, 200)
    completed = stage.start(request(branch="z9hG4bK-2"))
    stage.reply(completed, 486)
    stage.layer.lost(CARRIER, 0.0)
    assert stage.heard() == ["200", "486"]
    assert accepted.state is ClientState.ACCEPTED
    assert completed.state is ClientState.TERMINATED


def test_the_owner_and_the_request_are_the_users_own() -> None:
    """A client transaction hands back the owner, the request and the flow it was started with."""
    stage = Stage()
    invite = request()
    transaction = stage.start(invite)
    assert transaction.owner is stage
    assert transaction.request is invite
    assert transaction.flow is CARRIER
    assert transaction.branch == "z9hG4bK-1"
