"""CANCEL on both sides: RFC 3261 §9, RFC 3326 §2."""

import pytest

from sipguard.sip.response import build_response
from sipguard.transaction.states import ClientState, ServerState
from tests.transaction.stage import CARRIER, CARRIER_TCP, Stage, request


@pytest.mark.clause("TXN-26", "RFC 3261 9.2")
def test_a_cancel_is_handed_up_with_the_invite_it_matches() -> None:
    """A CANCEL is a transaction of its own; the user gets it with the INVITE's and answers it."""
    stage = Stage()
    invite = stage.serve(request())
    stage.answer(invite, 180)
    cancel = stage.serve(request("CANCEL"))
    assert cancel is not invite
    assert (stage.told[-1].what, stage.told[-1].message) == ("cancel", invite)
    stage.answer(cancel, 200)
    stage.answer(invite, 487)
    stage.receive(request("CANCEL"))
    assert stage.left() == ["180", "200", "487", "200"]
    assert stage.heard() == ["request", "cancel"]


@pytest.mark.clause("TXN-26", "RFC 3261 9.2")
def test_a_cancel_that_matches_nothing_is_handed_up_alone() -> None:
    """A CANCEL with another branch, or another sent-by, matches no INVITE (the user answers 481)."""
    stage = Stage()
    stage.serve(request())
    stage.serve(request("CANCEL", branch="z9hG4bK-2"))
    stage.serve(request("CANCEL", sent_by="192.0.2.1:5062"))
    assert [told.message for told in stage.told[1:]] == [None, None]


@pytest.mark.clause("TXN-29", "RFC 3261 9.2")
@pytest.mark.parametrize("code", [200, 486])
def test_a_cancel_after_the_final_response_still_finds_its_invite(code: int) -> None:
    """After the final response the INVITE is still found, in a state that shows it is too late."""
    stage = Stage()
    invite = stage.serve(request())
    stage.answer(invite, code)
    cancel = stage.serve(request("CANCEL"))
    assert stage.told[-1].message is invite
    assert invite.state in (ServerState.ACCEPTED, ServerState.COMPLETED)
    stage.answer(cancel, 200)
    stage.answer(invite, 487)
    assert stage.left() == [str(code), "200"]


@pytest.mark.clause("TXN-27", "RFC 3261 9.1")
def test_a_cancel_waits_for_a_provisional_response() -> None:
    """Before any 1xx no CANCEL leaves and the INVITE goes on being sent; with the first 1xx the CANCEL leaves."""
    stage = Stage()
    transaction = stage.start(request())
    stage.layer.cancel(transaction, 0.0)
    stage.layer.cancel(transaction, 0.0)
    stage.until(2.0)
    assert stage.left() == ["INVITE", "INVITE", "INVITE"]
    stage.reply(transaction, 100)
    assert stage.times("CANCEL") == [2.0]
    stage.reply(transaction, 180)
    stage.until(2.25)
    assert stage.times("CANCEL") == [2.0]
    assert stage.heard() == ["100", "180"]


@pytest.mark.clause("TXN-27", "RFC 3261 9.1")
@pytest.mark.parametrize("code", [200, 486])
def test_no_cancel_leaves_when_the_final_response_comes_first(code: int) -> None:
    """A deferred CANCEL is forgotten with the final response, and cancelling after it does nothing."""
    stage = Stage()
    transaction = stage.start(request())
    stage.layer.cancel(transaction, 0.0)
    stage.reply(transaction, code)
    stage.layer.cancel(transaction, 0.0)
    assert stage.times("CANCEL") == []
    assert stage.heard() == [str(code)]


@pytest.mark.clause("TXN-27", "TXN-30", "RFC 3261 9.1", "RFC 3326 2")
def test_the_cancel_is_made_from_the_invite_and_carries_the_reasons() -> None:
    """Same URI, one Via with the same branch, Route, From, To, Call-ID, CSeq number; Reason; no Require; same flow."""
    stage = Stage()
    invite = request(
        headers=("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother", "Route: <sip:198.51.100.9;lr>", "Require: 100rel",
                 "Proxy-Require: x", "Reason: SIP;cause=1"),
    )  # fmt: skip
    transaction = stage.start(invite)
    stage.reply(transaction, 180)
    stage.layer.cancel(transaction, 0.0, ['SIP;cause=200;text="Call completed elsewhere"', "Q.850;cause=26"])
    _, flow, cancel = stage.sent[-1]
    assert (flow, cancel.method, cancel.uri) == (CARRIER, "CANCEL", invite.uri)
    assert cancel.listed("via") == ["SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1"]
    assert cancel.value("cseq") == "1 CANCEL"
    for name in ("from", "to", "call-id", "route"):
        assert cancel.values(name) == invite.values(name)
    assert cancel.values("reason") == ['SIP;cause=200;text="Call completed elsewhere"', "Q.850;cause=26"]
    assert cancel.value("max-forwards") == "70"
    assert not any(cancel.has(name) for name in ("require", "proxy-require"))


@pytest.mark.clause("TXN-27", "TXN-30", "RFC 3326 2")
def test_a_deferred_cancel_keeps_its_reasons() -> None:
    """The Reason given with a CANCEL that has to wait is on it when it leaves."""
    stage = Stage()
    transaction = stage.start(request())
    stage.layer.cancel(transaction, 0.0, ["SIP;cause=200"])
    stage.layer.cancel(transaction, 0.0)
    stage.reply(transaction, 100)
    assert stage.sent[-1][2].values("reason") == ["SIP;cause=200"]


@pytest.mark.clause("TXN-18", "RFC 3261 9.1")
def test_the_cancel_is_retransmitted_and_its_response_stays_below_the_user() -> None:
    """The CANCEL is a non-INVITE transaction: Timers E and F; its 200 doesn't touch the INVITE or reach the user."""
    stage = Stage()
    transaction = stage.start(request())
    stage.reply(transaction, 180)
    stage.layer.cancel(transaction, 0.0)
    stage.until(0.75)
    assert stage.times("CANCEL") == [0.0, 0.5]
    cancel = stage.sent[-1][2]
    stage.receive(request("CANCEL"))  # a CANCEL of the caller's on the same branch is another matter
    stage.receive(build_response(cancel, 200), CARRIER)
    stage.reply(transaction, 487)
    stage.until(20.0)
    assert stage.times("CANCEL") == [0.0, 0.5]
    assert stage.heard() == ["180", "cancel", "487"]
    assert transaction.state is ClientState.COMPLETED


@pytest.mark.clause("TXN-28", "RFC 3261 9.1")
@pytest.mark.parametrize("flow", [CARRIER, CARRIER_TCP])
def test_a_cancelled_invite_without_a_final_response_times_out(flow: object) -> None:
    """64*T1 after the CANCEL left without a final response the INVITE counts as cancelled; the user hears once."""
    stage = Stage()
    transaction = stage.start(request(), flow)  # type: ignore[arg-type]
    stage.reply(transaction, 180)
    stage.until(10.0)
    stage.layer.cancel(transaction, 10.0)
    stage.reply(transaction, 183)
    stage.until(41.875)
    assert stage.heard() == ["180", "183"]
    stage.until(42.0)
    assert stage.heard() == ["180", "183", "timed_out"]
    assert stage.told[-1].subject is transaction
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-28", "RFC 3261 9.1")
def test_a_2xx_that_crosses_the_cancel_is_accepted() -> None:
    """A 200 after the CANCEL left reaches the user as any 2xx does."""
    stage = Stage()
    transaction = stage.start(request())
    stage.reply(transaction, 180)
    stage.layer.cancel(transaction, 0.0)
    stage.reply(transaction, 200)
    stage.reply(transaction, 200)
    assert stage.heard() == ["180", "200", "200"]
    stage.until(60.0)
    assert stage.heard() == ["180", "200", "200"]
    assert stage.layer.open_transactions == 0


@pytest.mark.clause("TXN-01", "RFC 3261 9.1")
def test_an_invite_with_a_deferred_cancel_still_times_out() -> None:
    """Timer B ends an INVITE that never got a provisional response, cancelled or not."""
    stage = Stage()
    transaction = stage.start(request())
    stage.layer.cancel(transaction, 0.0)
    stage.until(100.0)
    assert stage.heard() == ["timed_out"]
    assert stage.times("INVITE") == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert stage.times("CANCEL") == []


@pytest.mark.clause("TXN-24", "RFC 3261 17.1.4")
def test_a_transport_failure_ends_the_invite_and_its_cancel_with_one_word() -> None:
    """When the flow fails after the CANCEL left, both transactions end and the user hears of the INVITE only."""
    stage = Stage()
    transaction = stage.start(request())
    stage.reply(transaction, 180)
    stage.layer.cancel(transaction, 0.0)
    stage.layer.lost(CARRIER, 0.0)
    assert [(told.what, told.subject) for told in stage.told[1:]] == [("unreachable", transaction)]
    assert stage.layer.open_transactions == 0
    assert len(stage.timers) == 0
