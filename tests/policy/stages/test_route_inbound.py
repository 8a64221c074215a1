"""The inbound route."""

from dataclasses import replace

import pytest

from sipguard.policy.finding import Refusal, Routed
from sipguard.policy.stages.route_inbound import examine
from tests.policy.kit import (
    CONVERSATIONAL,
    CUSTOMER,
    DELEGATED,
    FOREIGN,
    OWNED,
    VERIFIED,
    call_of,
    directory,
    invite,
    view_of,
)


def routed(uri, view=None):
    """Where a call from the network goes."""
    return examine(call_of(invite(uri), trunk=CONVERSATIONAL, account=None), view or view_of())


@pytest.mark.parametrize("uri", [f"sip:+{OWNED}@p", "tel:+1-415-555-0100", "sip:4155550100@p", f"sip:+{DELEGATED}@p"])
def test_a_call_goes_to_the_trunk_of_the_number(uri):
    """An owned or delegated number, in any spelling, leads to its account's trunk."""
    assert routed(uri) == Routed((CUSTOMER,))


@pytest.mark.clause("RFC 3261 21.4.5")
@pytest.mark.parametrize(
    "uri", [f"sip:+{VERIFIED}@p", "sip:+14155550150@p", "sip:alice@p", "sip:%zz@p", "urn:service:sos"]
)
def test_a_number_nobody_has_is_not_found(uri):
    """A number that is only verified, a foreign one, a name or rubbish is nobody's."""
    finding = routed(uri)
    assert isinstance(finding, Refusal)
    assert finding.rule == "destination.unknown"


@pytest.mark.parametrize("trunks", [(), (replace(CUSTOMER, targets=()),)])
def test_a_number_without_a_trunk_is_unavailable(trunks):
    """A number whose account has no trunk, or one without targets, has nowhere to go."""
    finding = routed(f"sip:+{OWNED}@p", view_of(directory=directory(trunks=trunks)))
    assert isinstance(finding, Refusal)
    assert finding.rule == "destination.no-route"


def test_another_accounts_number_is_not_delivered_here():
    """A number of an account without trunks does not fall to a neighbour."""
    assert isinstance(routed(f"sip:+{FOREIGN}@p"), Refusal)
