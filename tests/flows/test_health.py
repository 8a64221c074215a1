"""Targets that are down come last, by what calls and probes meet; targets of one priority share the calls."""

from collections import Counter
from dataclasses import replace

import pytest

from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.policy.trunk import Target
from sipguard.testing.network import Endpoint
from sipguard.testing.sample import CARRIER_A, CARRIER_A_SPARE, RESCUE, changed, invite, target
from sipguard.testing.user_agent import Script
from tests.flows.stage import Stage, refusing, silent, with_settings

PROBING = with_settings(probe_interval=10.0)


def calls(stage: Stage, number: int, seconds: float = 1.0, start: int = 0) -> None:
    """So many calls, one after the other."""
    for position in range(start, start + number):
        stage.pbx.start(invite(call_id=f"many-{position}@sample"))
        stage.network.run(seconds)


def invites(stage: Stage, where: Endpoint) -> int:
    """How many calls were tried there."""
    return len({request.call_id for request in stage.requests_to(where, "INVITE")})


def events(stage: Stage) -> list[tuple[str, object]]:
    """What was logged about targets."""
    return [(log.event, log.fields.get("target")) for log in stage.network.logs if log.event.startswith("target.")]


@pytest.mark.clause("TXN-24", "RFC 3263 4.3")
def test_a_target_that_is_gone_is_tried_last_after_three_failures() -> None:
    """Three calls meet the dead target; the fourth goes to the spare at once, and the log says so once."""
    stage = Stage()
    stage.network.unreachable.add(CARRIER_A)
    calls(stage, 5)
    assert invites(stage, CARRIER_A) == 3
    assert invites(stage, CARRIER_A_SPARE) == 5
    assert events(stage) == [("target.down", "udp:192.0.2.21:5060")]
    assert stage.engine.targets_up["carrier-a", f"sip:{CARRIER_A[0]}:5060;transport=udp"] is False


def test_one_call_in_a_while_tries_it_and_two_answers_bring_it_back() -> None:
    """After half a minute a call tries the target again; two answered ones in a row, and it is up."""
    stage = Stage()
    stage.network.unreachable.add(CARRIER_A)
    calls(stage, 3)
    stage.network.run(31)
    calls(stage, 2, start=3)  # the first of them fails there, the second waits for its turn
    assert invites(stage, CARRIER_A) == 4
    stage.network.unreachable.clear()
    stage.network.run(31)
    calls(stage, 3, start=5)
    assert invites(stage, CARRIER_A) == 7
    assert events(stage) == [("target.down", "udp:192.0.2.21:5060"), ("target.up", "udp:192.0.2.21:5060")]
    assert stage.engine.targets_up["carrier-a", f"sip:{CARRIER_A[0]}:5060;transport=udp"] is True


def test_a_target_that_answers_between_failures_stays_up() -> None:
    """Only failures in a row count."""
    stage = Stage()
    for position in range(4):
        stage.network.unreachable.add(CARRIER_A)
        calls(stage, 2, start=10 * position)
        stage.network.unreachable.clear()
        calls(stage, 1, start=10 * position + 5)
    assert events(stage) == []


def test_when_all_are_down_all_are_tried() -> None:
    """Down is no reason to refuse a call."""
    stage = Stage()
    stage.network.unreachable |= {CARRIER_A, CARRIER_A_SPARE}
    calls(stage, 4)
    assert invites(stage, CARRIER_A) == invites(stage, CARRIER_A_SPARE) == 4
    assert stage.pbx.codes[-1] == 500


@pytest.mark.clause("EMG-16")
def test_an_emergency_call_tries_every_target() -> None:
    """Both targets of the emergency trunk are down: the call is sent to both all the same."""
    other = ("192.0.2.42", 5060)
    stage = Stage(trunks=changed("rescue", targets=(target(RESCUE), target(other))))
    stage.network.unreachable |= {RESCUE, other}
    for position in range(5):
        stage.pbx.start(invite(uri="sip:911@192.0.2.1", call_id=f"help-{position}@sample"))
        stage.network.run(1)
    assert invites(stage, RESCUE) == invites(stage, other) == 5


@pytest.mark.clause("FRK-12", "RFC 3261 21.5.4")
def test_retry_after_is_respected() -> None:
    """A 503 with Retry-After: the target comes last for as long, and at its place again afterwards."""
    stage = Stage(scripts={"carrier-a": refusing(503, ("retry-after", "60 (full);duration=1"))})
    calls(stage, 3)
    assert invites(stage, CARRIER_A) == 1
    stage.network.run(60)
    calls(stage, 1, start=3)
    assert invites(stage, CARRIER_A) == 2
    assert events(stage) == []  # it is full, not down


@pytest.mark.clause("FRK-12")
@pytest.mark.parametrize("value", ["soon", "", "-5"])
def test_a_retry_after_that_says_nothing(value: str) -> None:
    """A 503 without a time is answered by failover and nothing else."""
    stage = Stage(scripts={"carrier-a": refusing(503, ("retry-after", value))})
    calls(stage, 3)
    assert invites(stage, CARRIER_A) == 3


@pytest.mark.clause("FRK-16", "RFC 7984")
def test_a_silent_server_of_a_name_comes_last() -> None:
    """A name with a dead server first: the calls that met it wait, later ones do not."""
    trunks = changed("carrier-a", targets=(target(("carrier.example", 5060)),))
    stage = Stage(trunks=trunks, settings=with_settings(down_after=1), scripts={"carrier-a": silent()})
    both = TargetAnswer((Server("udp", *CARRIER_A), Server("udp", *CARRIER_A_SPARE)))
    stage.network.answers[TargetNeed("carrier.example", 5060, "udp")] = both
    stage.network.detach(CARRIER_A)
    calls(stage, 1, seconds=40)
    calls(stage, 1, start=1)
    assert stage.pbx.codes[-3:] == [100, 180, 200]
    assert invites(stage, CARRIER_A) == 1


# --- probes


def test_nobody_is_probed_by_default() -> None:
    """Without an interval there are no OPTIONS of ours."""
    stage = Stage()
    stage.call()
    stage.network.run(100)
    assert stage.requests_to(CARRIER_A, "OPTIONS") == []


@pytest.mark.clause("RFC 3261 11.1", "RFC 3261 8.1.1")
def test_probes_are_requests_of_our_own() -> None:
    """Every target gets a complete OPTIONS every interval, without any call; the answers end the transactions."""
    stage = Stage(settings=PROBING)
    stage.network.apply(stage.engine.tick(0.0, stage.network.wall))
    stage.network.run(30)
    for where in (CARRIER_A, CARRIER_A_SPARE, RESCUE):
        sent = stage.requests_to(where, "OPTIONS")
        assert len(sent) == 3
        assert len({request.via.branch for request in sent}) == 3
        assert len({request.call_id for request in sent}) == 3
    probe = stage.requests_to(CARRIER_A, "OPTIONS")[0]
    assert probe.uri == "sip:192.0.2.21:5060"
    assert (probe.value("max-forwards"), probe.cseq, probe.to.tag) == ("70", (1, "OPTIONS"), None)
    assert probe.from_.tag
    assert probe.via.has_rport
    assert events(stage) == []
    stage.engine.drain()
    stage.settle()


def test_a_probed_target_goes_down_and_comes_back_without_calls() -> None:
    """Three probes without an answer and it is down, before any call met it; two answers and it is up."""
    stage = Stage(settings=PROBING)
    stage.network.detach(CARRIER_A)
    stage.network.apply(stage.engine.tick(0.0, stage.network.wall))
    stage.network.run(45)
    assert events(stage) == [("target.down", "udp:192.0.2.21:5060")]
    calls(stage, 1)
    assert invites(stage, CARRIER_A) == 0
    stage.network.attach(CARRIER_A, stage.carrier)
    stage.network.run(25)
    assert events(stage)[1:] == [("target.up", "udp:192.0.2.21:5060")]
    calls(stage, 1, start=1)
    assert invites(stage, CARRIER_A) == 1


@pytest.mark.parametrize(("code", "down"), [(503, True), (404, False), (405, False), (481, False), (200, False)])
def test_any_answer_but_503_is_a_sign_of_life(code: int, down: bool) -> None:
    """A target that refuses OPTIONS lives; one that says 503 does not want calls."""
    stage = Stage(settings=PROBING)
    stage.carrier.script = Script(others=code)
    stage.network.apply(stage.engine.tick(0.0, stage.network.wall))
    stage.network.run(60)
    assert bool(events(stage)) is down


def test_a_target_that_cannot_be_reached_is_down_by_probes() -> None:
    """A send that fails counts like silence; a trunk with probe = false is left alone."""
    stage = Stage(settings=PROBING, trunks=changed("rescue", probe=False))
    stage.network.unreachable.add(CARRIER_A)
    stage.network.apply(stage.engine.tick(0.0, stage.network.wall))
    stage.network.run(31)
    assert events(stage) == [("target.down", "udp:192.0.2.21:5060")]
    assert stage.requests_to(RESCUE, "OPTIONS") == []


def test_every_server_behind_a_name_is_probed() -> None:
    """A target by name is resolved for each probe; it counts as up while any of its servers is."""
    uri = "sip:carrier.example:5060;transport=udp"
    stage = Stage(settings=PROBING, trunks=changed("carrier-a", targets=(target(("carrier.example", 5060)),)))
    both = TargetAnswer((Server("udp", *CARRIER_A), Server("udp", *CARRIER_A_SPARE)))
    stage.network.answers[TargetNeed("carrier.example", 5060, "udp")] = both
    stage.network.unreachable.add(CARRIER_A)
    stage.network.apply(stage.engine.tick(0.0, stage.network.wall))
    stage.network.run(45)
    assert events(stage) == [("target.down", "udp:192.0.2.21:5060")]
    assert stage.engine.targets_up["carrier-a", uri] is True
    stage.network.unreachable.add(CARRIER_A_SPARE)
    stage.network.run(45)
    assert stage.engine.targets_up["carrier-a", uri] is False


def test_probes_follow_a_reload() -> None:
    """After a reload the targets of the new directory are probed, and no others."""
    stage = Stage(settings=PROBING)
    stage.network.apply(stage.engine.tick(0.0, stage.network.wall))
    stage.network.run(15)
    new = Stage(trunks=changed("carrier-a", targets=(target(CARRIER_A_SPARE),))).sample.view
    stage.engine.reconfigure(new)
    stage.network.run(10)
    before = len(stage.requests_to(CARRIER_A, "OPTIONS"))
    stage.network.run(30)
    assert len(stage.requests_to(CARRIER_A, "OPTIONS")) == before
    assert len(stage.requests_to(CARRIER_A_SPARE, "OPTIONS")) >= 4


# --- sharing


def sharing(*shares: tuple[int | None, int]) -> tuple[Stage, list[Endpoint]]:
    """Carrier-a with targets of these priorities and weights, all of which answer."""
    endpoints = [(f"192.0.2.{60 + position}", 5060) for position in range(len(shares))]
    targets: tuple[Target, ...] = tuple(
        replace(target(endpoint), priority=priority, weight=weight)
        for endpoint, (priority, weight) in zip(endpoints, shares, strict=True)
    )
    stage = Stage(trunks=changed("carrier-a", targets=targets), scripts={"shared": Script(answer_after=0.1)})
    for endpoint in endpoints:
        stage.agent(endpoint, "shared")
    return stage, endpoints


def test_one_priority_shares_by_weight() -> None:
    """Weights 3 and 1: of eight calls six and two, evenly spread; the next priority is for failures."""
    stage, (first, second, reserve) = sharing((1, 3), (1, 1), (2, 1))
    calls(stage, 8)
    assert [invites(stage, where) for where in (first, second, reserve)] == [6, 2, 0]
    order = [send.flow.host for _, send in stage.network.sent if send.data.startswith(b"INVITE")]
    assert Counter(order[:4]) == Counter(order[4:]) == {first[0]: 3, second[0]: 1}


def test_equal_weights_take_turns_and_the_dead_takes_none() -> None:
    """Round-robin; when one is down its share falls to both others."""
    stage, (first, second, third) = sharing((1, 1), (1, 1), (1, 1))
    calls(stage, 6)
    assert [invites(stage, where) for where in (first, second, third)] == [2, 2, 2]
    stage.network.unreachable.add(first)
    calls(stage, 9, start=6)
    assert invites(stage, first) == 5
    second_before, third_before = invites(stage, second), invites(stage, third)
    calls(stage, 6, start=15)
    assert invites(stage, first) == 5
    assert (invites(stage, second) - second_before, invites(stage, third) - third_before) == (3, 3)


def test_without_priority_targets_are_tried_in_turn() -> None:
    """The list is an order, as it always was."""
    stage, (first, second) = sharing((None, 1), (None, 1))
    calls(stage, 3)
    assert [invites(stage, where) for where in (first, second)] == [3, 0]
