"""What a caller may ask of a proxy that tries several targets: RFC 3841 (Request-Disposition) and RFC 6228 (199)."""

import pytest

from sipguard.policy.trunk import Side, Trunk
from sipguard.testing.sample import CALLED, CARRIER_A, CARRIER_A_SPARE, changed, flow_from, target
from sipguard.testing.user_agent import Script
from tests.flows.stage import Stage, answer_to, refusing

FAILS_LATE = Script(ring_after=0.1, answer_after=0.5, code=503)
OTHER = ("192.0.2.51", 5060)


def overlapping(*headers: str) -> Stage:
    """A call whose first target is silent, which a trunk allows for two seconds; five seconds on."""
    stage = Stage(trunks=changed("carrier-a", response_timeout=2.0))
    stage.network.detach(CARRIER_A)
    stage.call(5, headers=headers)
    return stage


@pytest.mark.clause("EXT-06", "RFC 3841 9.1")
@pytest.mark.parametrize(
    "directive", ["no-fork", "sequential", "no-cancel", "NO-FORK", "proxy, no-fork", "queue,sequential"]
)
def test_who_wants_no_fork_gets_one_branch_at_a_time(directive: str) -> None:
    """The next target is tried when the transaction of the first is over, and only then."""
    stage = overlapping(f"Request-Disposition: {directive}")
    assert stage.octets_to(CARRIER_A_SPARE) == []
    stage.network.run(28)
    assert stage.pbx.codes == [100, 180, 200]
    (request, *_) = stage.requests_to(CARRIER_A_SPARE, "INVITE")
    assert request.value("request-disposition") == directive


@pytest.mark.clause("EXT-06", "RFC 3841 9.1")
@pytest.mark.parametrize("headers", [(), ("Request-Disposition: fork, cancel, parallel",), ("d: recurse",)])
def test_who_does_not_mind_gets_overlapping_branches(headers: tuple[str, ...]) -> None:
    """Without such a wish the second target has the call after two seconds."""
    assert overlapping(*headers).pbx.codes == [100, 180, 200]


@pytest.mark.clause("EXT-06", "FRK-06", "RFC 3841 9.1")
@pytest.mark.parametrize(("directive", "code"), [("no-recurse", 302), ("recurse", 200)])
def test_who_wants_no_recursion_gets_the_302(directive: str, code: int) -> None:
    """A 3xx that would be followed goes back to a caller that asks for it."""
    trunks = (*changed("carrier-a", follow_redirects=True), Trunk("c", Side.NETWORK, targets=(target(OTHER),)))
    stage = Stage(trunks=trunks)
    stage.agent(OTHER, "carrier-c")
    stage.network.detach(CARRIER_A)
    stage.call(0.1, headers=(f"Request-Disposition: {directive}",))
    (request, *_) = stage.requests_to(CARRIER_A, "INVITE")
    contact = f"Contact: <sip:+{CALLED}@{OTHER[0]}>"
    stage.network.inject(answer_to(request, "302 Moved", "a", contact), flow_from(CARRIER_A))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == code


@pytest.mark.clause("EXT-12", "RFC 6228 6")
@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (("Supported: timer, 199",), True),
        (("k: 199",), True),
        ((), False),
        (("Supported: timer",), False),
        (("Supported: 199, 100rel", "Require: 100rel"), False),
    ],
)
def test_the_end_of_an_early_dialog(headers: tuple[str, ...], told: bool) -> None:
    """A target rings and then fails: who supports 199 and does not insist on reliable ones hears of it, by its tag."""
    stage = Stage(scripts={"carrier-a": FAILS_LATE})
    stage.call(headers=headers)
    assert stage.pbx.codes == ([100, 180, 199, 180, 200] if told else [100, 180, 180, 200])
    for response in stage.pbx.responses:
        if response.code == 199:
            assert response.to.tag == "carrier-a"
            assert response.value("reason") == 'SIP;cause=503;text="Service Unavailable"'
            assert (response.body, response.has("contact"), response.has("require")) == (b"", False, False)
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("EXT-12", "RFC 6228 6")
@pytest.mark.parametrize("script", [refusing(503), Script(ring_after=0.1, answer_after=0.5, code=486)])
def test_no_199_without_need(script: Script) -> None:
    """A target that never rang had no early dialog; one whose refusal goes back at once needs no other message."""
    stage = Stage(scripts={"carrier-a": script})
    stage.call(headers=("Supported: 199",))
    assert 199 not in stage.pbx.codes


@pytest.mark.clause("EXT-12", "RFC 6228 6")
def test_a_199_from_below_is_not_said_again() -> None:
    """A target with two early dialogs ends one itself: its 199 is relayed, and ours, later, is about the other one."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.call(0.1, headers=("Supported: 199",))
    (request, *_) = stage.requests_to(CARRIER_A, "INVITE")
    for status, tag in (("180 Ringing", "one"), ("183 Progress", "two"), ("199 Over", "one"), ("503 Down", "two")):
        stage.network.inject(answer_to(request, status, tag), flow_from(CARRIER_A))
    stage.network.run(2)
    heard = [(response.code, response.to.tag) for response in stage.pbx.responses if response.code == 199]
    assert heard == [(199, "one"), (199, "two")]
    assert stage.pbx.codes[-1] == 200
