"""Numbers towards a carrier: they only rise, and an ACK follows its INVITE."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.proxy.carrier_leg import CarrierLeg, CarrierLegs


@pytest.mark.clause("RFC 3261 12.2.1.1")
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12), st.integers(0, 3))
def test_numbers_only_rise(requests: list[tuple[bool, int]], shift: int) -> None:
    """Whatever is challenged how often: each number is higher than those before, and each ACK has its INVITE's."""
    leg = CarrierLeg("carrier", "tag", shift)
    last = 1 + shift
    invites = {}
    for number, (invite, challenges) in enumerate(requests, start=2):
        sent = leg.number(number, shift)
        for again in range(challenges + 1):
            if again:
                sent = leg.again(number, sent)
            assert sent > last
            last = sent
            leg.sent(number, sent, invite)
        if invite:
            invites[number] = sent
    for number, sent in list(invites.items())[-8:]:
        assert leg.number_of_invite(number, shift) == sent
    assert leg.number_of_invite(1, shift) == 1 + shift


def test_the_memory_is_bounded() -> None:
    """So many INVITEs of a dialog, and so many dialogs, the last ones."""
    leg = CarrierLeg("carrier", "tag", 5)
    for number in range(100):
        leg.sent(number, number + 7, invite=True)
    assert [leg.number_of_invite(number, 5) - number for number in (0, 91, 92, 99)] == [5, 5, 7, 7]
    legs = CarrierLegs()
    for number in range(5000):
        legs.keep(str(number), leg)
    assert legs.find("0", "tag") is None
    assert legs.find("4999", "tag") is leg
    assert legs.find("4999", "other") is None
