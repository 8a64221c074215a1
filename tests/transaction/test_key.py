"""Which message belongs to which transaction: RFC 3261 §17.2.3, through the layer's door."""

import pytest

from sipguard.transaction.key import follows_rfc3261
from sipguard.transaction.states import ServerState
from tests.transaction.stage import Stage, request


@pytest.mark.clause("MSG-33", "RFC 3261 8.1.1.7")
@pytest.mark.parametrize(
    ("branch", "unique"),
    [("z9hG4bK1", True), ("z9hG4bK", False), (None, False), ("", False), ("1", False), ("x-z9hG4bK1", False)],
)
def test_a_branch_is_unique_when_something_follows_the_magic_cookie(branch: str | None, unique: bool) -> None:
    """Only a branch that begins with the magic cookie and goes on names a transaction by itself."""
    assert follows_rfc3261(branch) is unique


@pytest.mark.clause("TXN-17", "RFC 3261 17.2.3")
@pytest.mark.parametrize("other", [{"sent_by": "192.0.2.2"}, {"sent_by": "192.0.2.1:5070"}, {"branch": "z9hG4bK-2"}])
def test_branch_host_and_port_together_name_a_transaction(other: dict[str, str]) -> None:
    """The same branch with another sent-by host or port, or another branch, is another transaction."""
    stage = Stage()
    stage.serve(request())
    stage.serve(request(**other))  # type: ignore[arg-type]
    assert stage.heard() == ["request", "request"]
    assert stage.layer.open_transactions == 2


@pytest.mark.clause("TXN-17", "RFC 3261 17.2.3")
def test_the_method_is_part_of_the_name() -> None:
    """Another method on the same branch is another transaction; of all methods only ACK counts as INVITE."""
    stage = Stage()
    for method in ("INVITE", "BYE", "OPTIONS"):
        stage.serve(request(method))
    assert stage.heard() == ["request"] * 3
    stage.receive(request("BYE"))
    assert stage.heard() == ["request"] * 3


@pytest.mark.clause("TXN-17", "RFC 3261 17.2.3")
def test_with_a_cookie_nothing_but_the_top_via_counts() -> None:
    """A retransmission is known by its branch even if the rest of the request changed."""
    stage = Stage()
    stage.serve(request())
    stage.receive(request(uri="sip:other@203.0.113.1", call_id="other", from_tag="x", number=9))
    assert stage.heard() == ["request"]


@pytest.mark.clause("RFC 3261 17.2.3", "TXN-07")
def test_an_ack_that_matches_nothing_goes_to_the_user() -> None:
    """An ACK for a 2xx has a branch of its own and is handed up, and no transaction is made for it."""
    stage = Stage()
    stage.answer(stage.serve(request()), 200)
    ack = request("ACK", branch="z9hG4bK-ack", to_tag="us")
    stage.receive(ack)
    assert (stage.told[-1].what, stage.told[-1].message) == ("ack", ack)
    assert stage.layer.open_transactions == 1


def test_an_ack_before_any_final_response_is_ignored() -> None:
    """An ACK on an INVITE nobody answered yet changes nothing."""
    stage = Stage()
    invite = stage.serve(request())
    stage.receive(request("ACK"))
    assert stage.heard() == ["request"]
    assert invite.state is ServerState.PROCEEDING


@pytest.mark.clause("MSG-33", "RFC 4475 3.1.2.19")
@pytest.mark.parametrize("branch", ["z9hG4bK", None, "1"])
def test_a_branch_that_promises_nothing_is_not_shared(branch: str | None) -> None:
    """Two calls whose branch is empty after the cookie, or has none, are two transactions."""
    stage = Stage()
    stage.serve(request(branch=branch, call_id="one"))
    stage.serve(request(branch=branch, call_id="two"))
    assert stage.heard() == ["request", "request"]


@pytest.mark.clause("TXN-19", "RFC 3261 17.2.3")
@pytest.mark.parametrize("method", ["INVITE", "BYE"])
@pytest.mark.parametrize(
    "other",
    [
        {"uri": "sip:+15559990000@203.0.113.1"},
        {"to_tag": "there"},
        {"from_tag": "other"},
        {"call_id": "other"},
        {"number": 2},
        {"sent_by": "192.0.2.1:5070"},
    ],
)
def test_without_a_cookie_the_whole_request_is_compared(method: str, other: dict[str, str]) -> None:
    """URI, tags, Call-ID, CSeq and top Via all equal: a retransmission. One of them different: another request."""
    stage = Stage()
    transaction = stage.serve(request(method, branch=None))
    stage.answer(transaction, 200)
    stage.receive(request(method, branch=None))
    assert stage.heard() == ["request"]
    stage.receive(request(method, branch=None, **other))  # type: ignore[arg-type]
    assert stage.heard() == ["request", "request"]


@pytest.mark.clause("TXN-19", "RFC 3261 17.2.3")
@pytest.mark.parametrize("to_tag", [None, "dialog"])
def test_an_ack_without_a_cookie_must_have_the_to_tag_of_the_response(to_tag: str | None) -> None:
    """An RFC 2543 ACK ends the failure it has the To tag of; with another To tag it goes to the user."""
    stage = Stage()
    invite = stage.serve(request(branch=None, to_tag=to_tag))
    early = request("ACK", branch=None, to_tag=to_tag)
    stage.receive(early)
    assert stage.told[-1].message is early
    stage.answer(invite, 486, to_tag="us")
    other = request("ACK", branch=None, to_tag="another")
    stage.receive(other)
    assert stage.told[-1].message is other
    assert invite.state is ServerState.COMPLETED
    stage.receive(request("ACK", branch=None, to_tag=to_tag or "us"))
    assert invite.state is ServerState.CONFIRMED
    assert stage.heard() == ["request", "ack", "ack"]


@pytest.mark.clause("TXN-19", "TXN-26", "RFC 3261 9.2")
def test_a_cancel_without_a_cookie_finds_its_invite() -> None:
    """An RFC 2543 CANCEL matches the INVITE it repeats, not another one."""
    stage = Stage()
    invite = stage.serve(request(branch=None))
    stage.serve(request("CANCEL", branch=None))
    stage.serve(request("CANCEL", branch=None, number=2))
    assert [told.message for told in stage.told[1:]] == [invite, None]
