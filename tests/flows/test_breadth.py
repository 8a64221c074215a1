"""Max-Breadth (RFC 5393): what is active at one time never exceeds what a request came with."""

import pytest

from sipguard.testing.sample import CARRIER_A, CARRIER_A_SPARE, changed, invite, target
from tests.flows.stage import Stage, refusing

OTHERS = tuple((f"192.0.2.{host}", 5060) for host in range(100, 110))


def silent_targets(count: int, *headers: str, **more: float) -> Stage:
    """A call whose targets are all silent; the next one is tried after a second."""
    places = OTHERS[:count]
    stage = Stage(trunks=changed("carrier-a", targets=tuple(map(target, places)), response_timeout=1.0, **more))
    stage.call(count + 1, headers=headers)
    return stage


def shares(stage: Stage, count: int) -> list[int]:
    """The Max-Breadth that each target got, of those that got an INVITE."""
    found = []
    for place in OTHERS[:count]:
        values = {tuple(request.values("max-breadth")) for request in stage.requests_to(place, "INVITE")}
        found += [int(value) for (value,) in values]
    return found


@pytest.mark.clause("PRX-14", "RFC 5393 5.3.3")
@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ((), "60"),
        (("Max-Breadth: 7",), "7"),
        (("Max-Breadth: 007",), "7"),
        (("Max-Breadth: 61",), "60"),
        (("Max-Breadth: 9999999999999999999999",), "60"),
        (("Max-Breadth: many",), "60"),
        (("Max-Breadth:",), "60"),
        (("Max-Breadth: 7", "max-breadth: 8"), "7"),
    ],
)
def test_every_request_leaves_with_one_value(headers: tuple[str, ...], value: str) -> None:
    """60 is put in where nothing is said, and in the place of more; one target has all of it."""
    stage = Stage()
    stage.call(headers=headers)
    assert stage.carrier.requests[0].values("max-breadth") == [value]
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("PRX-14", "RFC 5393 5.3.3")
def test_requests_inside_a_dialog_have_one_too() -> None:
    """A BYE leaves with the same value."""
    stage = Stage()
    stage.call()
    stage.hang_up()
    assert stage.carrier.requests[-1].values("max-breadth") == ["60"]


@pytest.mark.clause("PRX-14", "RFC 5393 5.3.3.1")
def test_what_a_failed_branch_had_is_used_again() -> None:
    """One target after the other, as long as they do not overlap, may branch as much as the request may."""
    stage = Stage(scripts={"carrier-a": refusing(503)})
    stage.call(headers=("Max-Breadth: 2",))
    sent = [stage.requests_to(place, "INVITE")[0].value("max-breadth") for place in (CARRIER_A, CARRIER_A_SPARE)]
    assert sent == ["2", "2"]


@pytest.mark.clause("PRX-14", "RFC 5393 5.3.3")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), [30, 15, 8, 4, 2, 1]),
        (("Max-Breadth: 6",), [1, 1, 1, 1, 1, 1]),
        (("Max-Breadth: 3",), [1, 1, 1]),
        (("Max-Breadth: 1",), [1]),
    ],
)
def test_overlapping_branches_share(headers: tuple[str, ...], expected: list[int]) -> None:
    """Six targets that are silent one after the other: their shares are never more than the whole, and none gets 0."""
    stage = silent_targets(6, *headers)
    assert shares(stage, 6) == expected
    stage.network.run(6 * 32)
    stage.settle()


@pytest.mark.clause("PRX-14", "RFC 5393 5.3.3")
def test_without_breadth_the_next_target_waits() -> None:
    """With a breadth of 1 the second target is tried when the first transaction is over, by Timer B."""
    stage = silent_targets(2, "Max-Breadth: 1")
    stage.network.run(28)
    assert shares(stage, 2) == [1]
    stage.network.run(2)
    assert shares(stage, 2) == [1, 1]
    stage.settle()


@pytest.mark.clause("PRX-14", "RFC 5393 5.3.3.1")
def test_a_late_refusal_gives_its_share_back() -> None:
    """A target that was given up refuses after all: the last target of the call has its share too."""
    places = OTHERS[:3]
    stage = Stage(trunks=changed("carrier-a", targets=tuple(map(target, places)), response_timeout=2.0))
    late = stage.agent(places[0], "late")
    late.script = refusing(486)
    stage.network.detach(places[0])
    stage.call(3)
    stage.network.attach(places[0], late)
    stage.network.run(4)
    assert shares(stage, 3) == [30, 15, 45]


@pytest.mark.clause("PRX-14", "RFC 5393 5.3.3")
@pytest.mark.parametrize("value", ["0", "000"])
def test_a_breadth_of_nothing_is_440(value: str) -> None:
    """Not even one branch is allowed: 440, and nothing leaves."""
    stage = Stage()
    stage.pbx.start(invite(headers=(f"Max-Breadth: {value}",)))
    stage.network.run(1)
    assert [(response.code, response.reason) for response in stage.pbx.responses] == [(440, "Max-Breadth Exceeded")]
    assert stage.octets_to(CARRIER_A) == []
    stage.settle()
