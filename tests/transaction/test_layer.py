"""What the layer owes as a whole: nothing is left behind."""

import gc

import pytest

from sipguard.sip.response import build_response
from tests.transaction.stage import CALLER, CALLER_TCP, CARRIER, CARRIER_TCP, Stage, request


@pytest.mark.clause("TXN-34")
def test_ten_thousand_half_open_invites_leave_nothing() -> None:
    """10 000 INVITEs that are answered and never acknowledged are gone after their timers, with every timer."""
    stage = Stage()
    for number in range(10_000):
        stage.answer(stage.serve(request(branch=f"z9hG4bK-{number}")), 503)
    assert stage.layer.open_transactions == 10_000
    stage.sent.clear()
    stage.layer.send = lambda flow, data: None  # the retransmissions are somebody else's test
    stage.until(32.0)
    assert stage.layer.open_transactions == 0
    assert len(stage.timers) == 0


@pytest.mark.clause("TXN-34")
@pytest.mark.parametrize(("caller", "carrier"), [(CALLER, CARRIER), (CALLER_TCP, CARRIER_TCP)])
def test_a_whole_call_leaves_nothing(caller: object, carrier: object) -> None:
    """After a call both ways, answered and hung up, the layer holds neither transactions nor their messages."""
    stage = Stage()
    server = stage.serve(request(), caller)  # type: ignore[arg-type]
    stage.answer(server, 100)
    client = stage.start(request(branch="z9hG4bK-ours"), carrier)  # type: ignore[arg-type]
    for code in (100, 180, 200):
        stage.reply(client, code)
        stage.answer(server, code)
    stage.receive(request("ACK", branch="z9hG4bK-ack", to_tag="us"), caller)  # type: ignore[arg-type]
    bye = stage.serve(request("BYE", branch="z9hG4bK-bye", to_tag="us"), caller)  # type: ignore[arg-type]
    hang_up = stage.start(request("BYE", branch="z9hG4bK-ours-2", to_tag="us"), carrier)  # type: ignore[arg-type]
    stage.reply(hang_up, 200)
    stage.answer(bye, 200)
    stage.until(64.0)
    assert stage.layer.open_transactions == 0
    assert len(stage.timers) == 0
    stage.requests.clear()
    for transaction in (server, client, bye, hang_up):
        assert not any(isinstance(holder, dict | set) for holder in gc.get_referrers(transaction))


def test_a_response_may_come_on_another_flow() -> None:
    """A response is matched by what it says, not by where it comes from."""
    stage = Stage()
    transaction = stage.start(request())
    stage.receive(build_response(transaction.request, 180), CARRIER_TCP)
    assert stage.heard() == ["180"]


def test_losing_an_unknown_flow_does_nothing() -> None:
    """A failure of a flow nobody waits for is no event."""
    stage = Stage()
    stage.serve(request(), CALLER_TCP)
    stage.start(request(), CARRIER)
    stage.layer.lost(CARRIER_TCP, 0.0)
    stage.layer.lost(CALLER, 0.0)
    assert stage.heard() == ["request"]
    assert stage.layer.open_transactions == 2


@pytest.mark.clause("TXN-25", "RFC 6026 7.1")
def test_losing_a_connection_after_its_transactions_ended_does_nothing() -> None:
    """A connection that outlived its transactions can be lost without consequence."""
    stage = Stage()
    for number in range(2):
        bye = stage.serve(request("BYE", branch=f"z9hG4bK-{number}"), CALLER_TCP)
        stage.answer(bye, 200)
    stage.layer.lost(CALLER_TCP, 0.0)
    assert stage.heard() == ["request", "gone", "request", "gone"]


def test_the_user_may_answer_from_within_the_call() -> None:
    """A user that answers inside ``request`` needs no 100 of the layer's, and hears ``gone`` from within."""

    class Prompt(Stage):
        def request(self, transaction, now):  # type: ignore[no-untyped-def]
            super().request(transaction, now)
            self.answer(transaction, 200)

    stage = Prompt()
    stage.receive(request("OPTIONS"), CALLER_TCP)
    assert stage.left() == ["200"]
    assert stage.heard() == ["request", "gone"]
    assert len(stage.timers) == 0


def test_the_user_may_cancel_and_start_from_within_a_response() -> None:
    """Calling the layer back from ``response`` finds the transaction's state settled."""

    class Impatient(Stage):
        def response(self, transaction, response, now):  # type: ignore[no-untyped-def]
            super().response(transaction, response, now)
            if response.code < 200:
                self.layer.cancel(transaction, now)
            else:
                self.start(request(branch="z9hG4bK-next"))

    stage = Impatient()
    transaction = stage.start(request())
    stage.reply(transaction, 180)
    stage.reply(transaction, 487)
    assert stage.left() == ["INVITE", "CANCEL", "ACK", "INVITE"]


def test_a_request_on_a_known_branch_is_started_without_reading_its_via() -> None:
    """``start_on_branch`` takes the caller's word for the branch."""
    stage = Stage()
    transaction = stage.layer.start_on_branch(request("OPTIONS"), CARRIER, 0.0, "owner", "z9hG4bK-1")
    stage.reply(transaction, 200)
    assert stage.heard() == ["200"]
    assert transaction.owner == "owner"
