"""Calls that are up, and the token that outlives them."""

import pytest

from sipguard.proxy.active_calls import ActiveCall, ActiveCalls, Redeemed
from sipguard.proxy.dialog import Dialog, Leg, State
from sipguard.sip.flow import Flow


class Keeper:
    """Notes which calls expired."""

    def __init__(self) -> None:
        self.closed: list[ActiveCall] = []

    def expired(self, call: ActiveCall, now: float) -> None:
        """Note it."""
        self.closed.append(call)


def call(identifier: str = "1-1") -> ActiveCall:
    """A call."""
    return ActiveCall(Keeper(), identifier, "one", "caller", "acme")


def dialog(tag: str) -> Dialog:
    """A dialog of that call."""
    here = Flow(0, "udp", "192.0.2.11", 5060)
    return Dialog(tag, *(Leg(here, "sip:192.0.2.11", (), on_flow=False) for _ in range(2)))


@pytest.mark.clause("PRX-24")
def test_a_call_is_known_by_either_tag() -> None:
    """Call-ID with the caller's tag, and with each tag a response brought; after the end with none."""
    calls, up = ActiveCalls(b"secret"), call()
    calls.add(up)
    for tag in ("callee", "other callee"):
        calls.learn(up, dialog(tag))
    assert [calls.find("one", tag) is up for tag in ("caller", "callee", "other callee")] == [True] * 3
    assert calls.find("one", "stranger") is calls.find("two", "caller") is calls.find("one", None) is None
    calls.remove(up)
    assert [calls.find("one", tag) for tag in ("caller", "callee", "other callee")] == [None] * 3
    assert len(calls) == 0


@pytest.mark.clause("TXN-34")
def test_calls_with_one_name_are_counted_apart() -> None:
    """Two calls of one Call-ID and tag: the end of the first leaves the second, and both are counted out."""
    calls, first, second = ActiveCalls(b"secret"), call(), call("1-2")
    calls.add(first)
    calls.add(second)
    assert len(calls) == 2
    assert (calls.named("1-1"), calls.named("1-2"), calls.named("1-3")) == (first, second, None)
    calls.remove(first)
    assert calls.find("one", "caller") is second
    calls.remove(second)
    calls.remove(second)
    assert (len(calls), calls.find("one", "caller")) == (0, None)


@pytest.mark.clause("TXN-34")
def test_a_call_that_is_over_learns_nothing() -> None:
    """A late response adds no tag."""
    calls, over = ActiveCalls(b"secret"), call()
    calls.add(over)
    calls.remove(over)
    calls.learn(over, dialog("late"))
    assert calls.find("one", "late") is None


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("shift", [0, 12])
def test_the_tokens(shift: int) -> None:
    """One for each side: it says record, time, shift, who sent it and whose it is, and to nobody else anything."""
    calls = ActiveCalls(b"secret")
    called, caller = calls.tokens("6b-1", "one@x", "from", 1_800_000_000, shift)
    assert calls.redeem(called, "one@x", "from", "to") == Redeemed("6b-1", 1_800_000_000, shift, True, False)
    assert calls.redeem(called, "one@x", "to", "from") == Redeemed("6b-1", 1_800_000_000, shift, False, False)
    assert calls.redeem(caller, "one@x", "from", "to") == Redeemed("6b-1", 1_800_000_000, shift, True, True)
    assert ActiveCalls(b"secret").redeem(caller, "one@x", "from", "to") is not None
    assert ActiveCalls(b"other").redeem(caller, "one@x", "from", "to") is None
    wrong = [
        caller[:-1],
        caller + "0",
        caller.replace("6b-1", "6b-2"),
        "",
        ".",
        "\xff.\xff",
        caller.upper(),
        f"~.{caller}",
    ]
    wrong += [called.replace(".2", ".1"), caller.replace("~6b49d200", "~6b49d201")]
    wrong += [caller.replace("~6b49d200", "~x"), caller.replace(".1", "~99.1"), caller.replace(".1", ".3")]
    for token in wrong:
        assert calls.redeem(token, "one@x", "from", "to") is None
    assert calls.redeem(caller, "two@x", "from", "to") is None
    assert calls.redeem(caller, "one@x", "another", "to") is None


def test_the_longest_call() -> None:
    """A call whose timer fires tells its keeper."""
    keeper = Keeper()
    long = ActiveCall(keeper, "1-1", "one", "caller", None)
    long.fire(0, 5.0)
    assert keeper.closed == [long]


@pytest.mark.clause("PRX-24")
def test_a_call_has_only_so_many_dialogs() -> None:
    """With ever more To tags the oldest early one goes; those that were answered stay, and then no other is learnt."""
    calls, up = ActiveCalls(b"secret"), call()
    calls.add(up)
    answered = dialog("answered")
    answered.state = State.UP
    calls.learn(up, answered)
    for number in range(1000):
        calls.learn(up, dialog(f"early-{number}"))
    assert len(up.dialogs) < 50
    assert calls.find("one", "answered") is calls.find("one", "early-999") is up
    assert calls.find("one", "early-0") is None
    for each in up.dialogs:
        each.state = State.UP
    calls.learn(up, dialog("late"))
    assert (len(up.dialogs) < 50, calls.find("one", "late")) == (True, None)
    calls.remove(up)
    assert calls._by_tag == {}
