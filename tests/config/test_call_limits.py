"""``[limits.calls]`` and the limits of single trunks."""

import pytest
from pydantic import ValidationError

from sipguard.config.call_limits import CallLimitsSection
from sipguard.config.rule import RuleSection
from sipguard.config.trunk import TrunkSection
from sipguard.policy.settings import CallLimits
from sipguard.traffic.limit import CallLimit


def test_there_is_no_limit_by_default() -> None:
    """Nobody is limited until the operator says so."""
    assert CallLimitsSection().limits() == CallLimits()


def test_what_is_given_arrives() -> None:
    """By kind, by account and by trunk."""
    section = CallLimitsSection.model_validate(
        {"source": {"rate": 5}, "number": {"concurrent": 3}, "accounts": {"acme": {"rate": 1.5, "burst": 4}}}
    )
    limits = section.limits()
    assert limits.source == CallLimit(rate=5.0)
    assert limits.number == CallLimit(concurrent=3)
    assert (limits.accounts, limits.account) == ({"acme": CallLimit(1.5, 4)}, CallLimit())
    values = {"name": "a", "side": "network", "targets": ["sip:192.0.2.1"], "egress_limit": {"concurrent": 7}}
    trunk = TrunkSection.model_validate(values).trunk()
    assert (trunk.limit, trunk.egress_limit) == (None, CallLimit(concurrent=7))


def test_a_throttle_holds_back_by_default() -> None:
    """Mode throttle needs no further key; a rule's own figures take the place of all the common ones."""
    assert CallLimitsSection().limits().throttle == CallLimits().throttle == CallLimit(rate=1.0, concurrent=10)
    assert CallLimitsSection().limits().restricted == CallLimits().restricted == CallLimit(rate=1.0, concurrent=10)
    section = CallLimitsSection.model_validate({"throttle": {"concurrent": 3}})
    assert section.limits().throttle == CallLimit(rate=1.0, concurrent=3)
    own = RuleSection.model_validate({"throttle": {"concurrent": 2}}).throttle
    assert own is not None
    assert own.limit() == CallLimit(concurrent=2)
    with pytest.raises(ValidationError, match="limits nothing"):
        RuleSection.model_validate({"throttle": {"burst": 2}})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"source": {"concurrent": 5}}, "concurrent"),
        ({"trunk": {"rate": -1}}, "greater than or equal to 0"),
        ({"trunk": {"burst": 1.5}}, "burst"),
        ({"remembered": 10}, "remembered"),
        ({"throttle": {"rate": 0, "concurrent": 0}}, "limits nothing"),
    ],
)
def test_mistakes_are_named(values: dict[str, object], said: str) -> None:
    """A source has no calls at a time of its own; figures are not negative."""
    with pytest.raises(ValidationError, match=said):
        CallLimitsSection.model_validate(values)
