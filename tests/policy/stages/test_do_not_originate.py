"""The do-not-originate stage."""

import pytest

from sipguard.policy.finding import CallerIdentity, Refusal
from sipguard.policy.stages.do_not_originate import examine
from tests.policy.kit import LISTED, OWNED, call_of, view_of

IN_A_BLOCK = "19995550100"


def examined(identity):
    """What the stage says about a caller identity."""
    call = call_of()
    call.identity = identity
    return examine(call, view_of())


def identity(effective=OWNED, from_tn=OWNED, asserted=(), replaced=None):
    """A caller identity that presents these numbers."""
    return CallerIdentity(effective, from_tn, asserted, None, replaced=replaced)


def test_a_number_on_no_list_passes():
    """An ordinary number may originate."""
    assert examined(identity()) is None


@pytest.mark.clause("BLK-07")
@pytest.mark.parametrize("number", [LISTED, IN_A_BLOCK])
def test_a_listed_number_is_refused_even_when_owned(number):
    """An exact entry and a block refuse the number, whoever owns it."""
    finding = examined(identity(number, number))
    assert isinstance(finding, Refusal)
    assert finding.rule == "caller-id.do-not-originate"


def test_every_presented_number_is_looked_up():
    """A listed number beside the effective one is found in From and among the asserted ones."""
    assert isinstance(examined(identity(from_tn=LISTED)), Refusal)
    assert isinstance(examined(identity(asserted=(OWNED, LISTED))), Refusal)


def test_after_a_replacement_only_the_replacement_counts():
    """A listed number that does not leave is not held against the call."""
    assert examined(identity(from_tn=LISTED, replaced=OWNED)) is None


def test_a_call_without_a_number_passes():
    """There is nothing to look up."""
    assert examined(None) is None
