"""``[policy.destinations]`` and the limits on calls to a destination."""

import pytest
from pydantic import ValidationError

from sipguard.config import load
from sipguard.config.call_limits import CallLimitsSection
from sipguard.config.destinations import DestinationsSection
from sipguard.policy.destination_settings import Ceiling, DestinationLimit
from sipguard.policy.heading import Risk
from sipguard.stir.telephone_number import TN
from sipguard.traffic.limit import CallLimit
from sipguard.traffic.missed_calls import MissedCallThresholds
from tests.config.test_example import EXAMPLE


@pytest.mark.clause("policy: destinations")
def test_the_published_figures() -> None:
    """Those of docs/destinations.md; at home only one number is looked at."""
    settings = DestinationsSection().settings()
    velocity = settings.velocity
    assert velocity.ceiling(Risk.HOME, ("acme",)) == Ceiling(50)
    assert velocity.ceiling(Risk.ABROAD, ("acme",)) == Ceiling(20, 100, 600)
    assert velocity.ceiling(Risk.HIGH, ("acme",)) == Ceiling(5, 10, 30)
    assert settings.wangiri == MissedCallThresholds(2.0, 20, 0.5, 15)
    assert not settings.max_duration
    assert velocity.counts


def test_premium_ranges_are_high_risk() -> None:
    """The built-in ones and the operator's own, whatever the list says."""
    settings = DestinationsSection.model_validate({"premium": ["+1976"], "high_risk": ["+2247"]}).settings()
    found = [settings.headings.high_risk.find(TN(number)) for number in ("19765550100", "19005550100", "224712345678")]
    assert found == [("+1976", True), ("+1900", True), ("+2247", True)]
    assert settings.headings.high_risk.find(TN("5371234567")) is None


def test_an_account_and_who_is_below_it_have_their_own() -> None:
    """The nearest one that says something about a kind of destination counts; what it leaves out is everybody's."""
    accounts = {"reseller": {"abroad": {"hour": 9}, "home": {"hour": 8}}, "acme": {"abroad": {"number": 7, "hour": 0}}}
    velocity = DestinationsSection.model_validate({"velocity": {"accounts": accounts}}).settings().velocity
    path = ("operator", "reseller", "acme")
    assert velocity.ceiling(Risk.ABROAD, path) == Ceiling(7, 100, 0)
    assert velocity.ceiling(Risk.HOME, path) == Ceiling(50, 0, 8)
    assert velocity.ceiling(Risk.HIGH, path) == Ceiling(5, 10, 30)
    assert velocity.ceiling(Risk.ABROAD, ("operator", "other")) == Ceiling(20, 100, 600)


def test_the_example_shows_the_defaults() -> None:
    """Every figure in sipguard.toml is the one that counts without it."""
    assert load(EXAMPLE).policy.destinations == DestinationsSection()


def test_one_figure_may_be_given_alone() -> None:
    """The others keep their defaults."""
    velocity = DestinationsSection.model_validate({"velocity": {"abroad": {"hour": 9}}}).settings().velocity
    assert velocity.ceiling(Risk.ABROAD, ("acme",)) == Ceiling(20, 100, 9)


def test_nothing_is_counted_where_nothing_is_limited() -> None:
    """All figures 0."""
    none: dict[str, int] = {"number": 0, "five_minutes": 0, "hour": 0}
    section = DestinationsSection.model_validate({"velocity": {"home": none, "abroad": none, "high_risk": none}})
    assert not section.settings().velocity.counts


def test_limits_by_destination_arrive() -> None:
    """Of each account and of all of them together."""
    values = {"+2247": {"concurrent": 10, "rate": 1, "together": {"concurrent": 50}}, "CU": {"rate": 2}}
    destinations = CallLimitsSection.model_validate({"destinations": values}).limits().destinations
    limit = DestinationLimit(CallLimit(1.0, 0, 10), CallLimit(concurrent=50))
    assert destinations.find(TN("224712345678")) == ("+2247", limit)
    assert destinations.find(TN("5371234567")) == ("CU", DestinationLimit(CallLimit(2.0)))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"high_risk": ["2247"]}, "is not a country code"),
        ({"high_risk": ["+"]}, "is not a prefix like"),
        ({"high_risk": ["+0224"]}, "is not a prefix like"),
        ({"high_risk": ["GG"]}, "shares its calling code with a larger country"),
        ({"max_duration": {"CU": 0}}, "greater than or equal to 1"),
        ({"max_duration": {"ZZ": 60}}, "is not a country code"),
        ({"velocity": {"abroad": {"number": -1}}}, "greater than or equal to 0"),
        ({"velocity": {"islands": {"number": 1}}}, "islands"),
        ({"wangiri": {"share": 2}}, "less than or equal to 1"),
        ({"remembered": 1}, "remembered"),
    ],
)
def test_mistakes_are_named(values: dict[str, object], said: str) -> None:
    """A destination is a prefix with a plus or a country that numbers count as."""
    with pytest.raises(ValidationError, match=said):
        DestinationsSection.model_validate(values)
