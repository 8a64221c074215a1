"""Servers that asked for less get less, for as long as they asked."""

import pytest

from sipguard.policy.need import Server
from sipguard.proxy.oc_parameters import Demand
from sipguard.proxy.throttle import Throttle

SERVER = Server("udp", "192.0.2.21", 5060)
PLACE = (SERVER.host, SERVER.port)


def asked(loss: float, validity: float = 10.0, sequence: float | None = 1.0) -> Throttle:
    """A throttle with one demand, made at 0."""
    throttle = Throttle(60.0)
    throttle.learn(PLACE, Demand(loss, validity, sequence), 0.0)
    return throttle


def passed(throttle: Throttle, count: int = 100, now: float = 1.0) -> int:
    """How many of so many new calls may go."""
    return sum(throttle.takes(SERVER, now, spared=False) for _ in range(count))


@pytest.mark.clause("PRX-36", "RFC 7339 5.5", "RFC 7339 7.2")
@pytest.mark.parametrize(("loss", "expected"), [(0.1, 90), (0.5, 50), (1.0, 0)])
def test_new_calls_are_reduced_by_what_was_asked(loss: float, expected: int) -> None:
    """With nothing but new calls their number is reduced by that percentage."""
    throttle = asked(loss)
    passed(throttle, 5000)
    assert passed(throttle) == pytest.approx(expected, abs=2)


@pytest.mark.clause("PRX-36", "RFC 7339 7.2")
def test_what_is_spared_is_made_up_for_by_the_others() -> None:
    """When half of the requests always go, the other half is cut twice as much."""
    throttle = asked(0.3)
    sent = 0
    for _ in range(2000):
        assert throttle.takes(SERVER, 1.0, spared=True)
        sent += throttle.takes(SERVER, 1.0, spared=False)
    assert sent == pytest.approx(2000 * 0.4, rel=0.05)


@pytest.mark.clause("PRX-36", "RFC 7339 5.10.1", "EMG-17")
def test_what_is_spared_goes_even_at_a_hundred_percent() -> None:
    """A server that wants nothing more still gets emergency calls and requests in dialogs."""
    throttle = asked(1.0)
    assert passed(throttle) == 0
    assert throttle.takes(SERVER, 1.0, spared=True)


@pytest.mark.clause("PRX-36", "RFC 7339 5.7")
def test_it_ends_with_its_validity() -> None:
    """After oc-validity everything goes again, and nothing is remembered."""
    throttle = asked(1.0, validity=0.5)
    assert passed(throttle, now=0.49) == 0
    assert passed(throttle, now=0.5) == 100
    assert not throttle.active


@pytest.mark.clause("PRX-36", "RFC 7339 5.7")
def test_a_validity_of_zero_ends_it_at_once() -> None:
    """oc-validity=0 with a higher oc-seq stops it whatever its oc says."""
    throttle = asked(1.0)
    throttle.learn(PLACE, Demand(1.0, 0.0, 2.0), 1.0)
    assert passed(throttle) == 100


@pytest.mark.clause("RFC 7339 5.4", "RFC 7339 4.4")
@pytest.mark.parametrize(("sequence", "counts"), [(0.5, False), (1.0, False), (1.001, True), (-1000.0, True)])
def test_only_a_newer_demand_counts(sequence: float, counts: bool) -> None:
    """A repeated or late one does not; one that is far lower begins anew."""
    throttle = asked(1.0)
    throttle.learn(PLACE, Demand(0.0, 10.0, sequence), 1.0)
    assert (passed(throttle) > 0) is counts


@pytest.mark.clause("RFC 7339 11")
def test_nobody_is_believed_for_ever() -> None:
    """``longest_validity`` bounds what a forged response can do."""
    throttle = asked(1.0, validity=999_999.0)
    assert passed(throttle, now=59.0) == 0
    assert passed(throttle, now=60.0) == 100


def test_it_is_of_one_address_and_port() -> None:
    """Another port of the same host is another server."""
    throttle = asked(1.0)
    assert throttle.takes(Server("udp", SERVER.host, 5070), 1.0, spared=False)


def test_who_asks_for_nothing_is_not_remembered() -> None:
    """The answer of a well server costs later calls nothing."""
    assert not asked(0.0, 0.0).active
    assert not asked(0.0, 0.5).active


def test_the_memory_is_bounded() -> None:
    """However many servers ask, so many are kept at most."""
    throttle = Throttle(60.0)
    for number in range(10_000):
        throttle.learn(("192.0.2.1", number), Demand(0.5, 10.0, None), 0.0)
    assert len(throttle._limits) <= 4096
