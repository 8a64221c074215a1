"""The outbound route."""

from dataclasses import replace

import pytest

from sipguard.policy.finding import Classified, Emergency, Refusal, Routed
from sipguard.policy.stages.route_outbound import examine
from sipguard.policy.trunk import TrafficClass
from tests.policy.kit import CONVERSATIONAL, CUSTOMER, DIALER, EMERGENCY, call_of, directory, view_of


def routed(traffic_class, *trunks, emergency=False):
    """The route of a call of a class over these network trunks."""
    call = call_of()
    call.classified = Classified(traffic_class)
    call.emergency = Emergency("911", None) if emergency else None
    return examine(call, view_of(directory=directory(trunks=(CUSTOMER, *trunks))))


@pytest.mark.parametrize(
    ("traffic_class", "trunk"), [(TrafficClass.CONVERSATIONAL, CONVERSATIONAL), (TrafficClass.DIALER, DIALER)]
)
def test_each_class_has_its_trunk(traffic_class, trunk):
    """A call leaves by the trunks that carry its class."""
    assert routed(traffic_class, CONVERSATIONAL, DIALER, EMERGENCY) == Routed((trunk,))


def test_a_dialer_call_never_takes_the_conversational_route():
    """Without a dialer trunk the call is refused."""
    finding = routed(TrafficClass.DIALER, CONVERSATIONAL, EMERGENCY)
    assert finding == Refusal("destination.no-route", "no trunk carries dialer calls")


def test_a_call_without_a_trunk_is_refused():
    """Nothing carries a conversational call where only dialers may leave."""
    assert isinstance(routed(TrafficClass.CONVERSATIONAL, DIALER), Refusal)


@pytest.mark.clause("EMG-04")
@pytest.mark.parametrize(
    ("trunks", "trunk"),
    [
        ((CONVERSATIONAL, DIALER, EMERGENCY), EMERGENCY),
        ((CONVERSATIONAL, DIALER), CONVERSATIONAL),
        ((DIALER,), DIALER),
    ],
)
def test_an_emergency_call_takes_what_there_is(trunks, trunk):
    """The emergency trunk first, without one the conversational trunk, and without that any other."""
    assert routed(TrafficClass.EMERGENCY, *trunks, emergency=True) == Routed((trunk,))


def test_trunks_keep_their_configured_order():
    """The first configured trunk of the class is tried first."""
    spare = replace(CONVERSATIONAL, name="spare")
    assert routed(TrafficClass.CONVERSATIONAL, CONVERSATIONAL, spare) == Routed((CONVERSATIONAL, spare))


def test_an_unclassified_request_is_conversational():
    """A request that no stage classified takes the conversational route."""
    assert examine(call_of(), view_of()) == Routed((CONVERSATIONAL,))
