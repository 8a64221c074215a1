"""Decisions: the Reason header each family of refusal carries."""

import pytest

from sipguard.policy.decision import FORWARD, Decision
from sipguard.policy.settings import PolicySettings


@pytest.mark.clause("BLK-05", "ATIS-1000099")
def test_an_analytics_refusal_says_where_to_seek_redress():
    """603+ names the analytics version, a page and a telephone number in its Q.850 Reason."""
    policy = PolicySettings(redress_url="https://operator.example/redress", redress_telephone="+14155550170")
    decision = Decision(603, "Network Blocked", "robodial.tag", "tagged")
    assert decision.reason(policy) == (
        'Q.850;cause=21;location=LN;text="v=analytics1;url=https://operator.example/redress;tel=+14155550170"'
    )


@pytest.mark.clause("RFC 3326 2")
def test_a_deterministic_refusal_names_its_rule():
    """A 403 of ours carries the stable name of the rule."""
    decision = Decision(403, "Forbidden", "source.unknown", "no trunk")
    assert decision.reason(PolicySettings()) == 'SIP;cause=403;text="source.unknown"'


def test_a_stir_refusal_needs_no_reason():
    """Its code and phrase already are the reason (RFC 8224 §6.2.2)."""
    assert Decision(438, "Invalid Identity Header", "stir.signature").reason(PolicySettings()) is None


def test_forwarding_is_a_decision_without_a_code():
    """A call that goes on has neither code nor reason."""
    assert FORWARD.forward
    assert FORWARD.reason(PolicySettings()) is None
