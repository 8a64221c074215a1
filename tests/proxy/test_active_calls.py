"""Calls that are up, and the token that outlives them."""

import pytest

from sipguard.proxy.active_calls import ActiveCall, ActiveCalls, Redeemed


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


@pytest.mark.clause("PRX-24")
def test_a_call_is_known_by_either_tag() -> None:
    """Call-ID with the caller's tag, and with each tag a response brought; after the end with none."""
    calls, up = ActiveCalls(b"secret"), call()
    calls.add(up)
    calls.learn(up, "callee")
    calls.learn(up, "callee")
    calls.learn(up, "other callee")
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
    calls.learn(over, "late")
    assert calls.find("one", "late") is None


@pytest.mark.clause("PRX-24")
def test_the_token() -> None:
    """It gives back its record for its own Call-ID, and for nobody who changed it or has another secret."""
    calls = ActiveCalls(b"secret")
    token = calls.token("6b-1", "one@x")
    assert calls.redeem(token, "one@x") == Redeemed("6b-1")
    assert ActiveCalls(b"secret").redeem(token, "one@x") == Redeemed("6b-1")
    assert ActiveCalls(b"other").redeem(token, "one@x") is None
    for wrong in (token[:-1], token + "0", token.replace("6b-1", "6b-2"), "", ".", "\xff.\xff", token.upper()):
        assert calls.redeem(wrong, "one@x") is None
    assert calls.redeem(token, "two@x") is None


@pytest.mark.clause("PRX-24")
def test_a_shifted_token() -> None:
    """It also says how far numbers are ahead and whose request it came with, and nothing to anybody else."""
    calls = ActiveCalls(b"secret")
    token = calls.shifted_token("6b-1", "one@x", 12, "caller")
    assert calls.redeem(token, "one@x", "caller", "called") == Redeemed("6b-1", 12, True)
    assert calls.redeem(token, "one@x", "called", "caller") == Redeemed("6b-1", 12, False)
    assert calls.redeem(token, "one@x", "called", "other") is None
    assert calls.redeem(token, "two@x", "caller", "called") is None
    for wrong in (token.replace("~12", "~13"), token.replace("~12", ""), token.replace("~12", "~x"), "~." + token):
        assert calls.redeem(wrong, "one@x", "caller", "called") is None


def test_the_longest_call() -> None:
    """A call whose timer fires tells its keeper."""
    keeper = Keeper()
    long = ActiveCall(keeper, "1-1", "one", "caller", None)
    long.fire(0, 5.0)
    assert keeper.closed == [long]
