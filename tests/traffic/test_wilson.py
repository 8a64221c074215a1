"""One-sided confidence bounds."""

import pytest

from sipguard.traffic import wilson

Z = 2.33


@pytest.mark.parametrize(("successes", "trials"), [(0, 50), (5, 50), (25, 50), (50, 50), (500, 5000)])
def test_the_bounds_enclose_the_observed_share(successes, trials):
    """The lower bound is at most the observed share and the upper bound at least it, both within 0 and 1."""
    share = successes / trials
    assert 0 <= wilson.lower(successes, trials, Z) <= share <= wilson.upper(successes, trials, Z) <= 1


def test_a_larger_sample_narrows_the_bounds():
    """The same share is bounded more tightly by ten times the calls."""
    assert wilson.lower(50, 500, Z) > wilson.lower(5, 50, Z)
    assert wilson.upper(50, 500, Z) < wilson.upper(5, 50, Z)


@pytest.mark.parametrize("bound", [wilson.lower, wilson.upper])
def test_a_bound_solves_the_equation_that_defines_it(bound):
    """Ten of fifty are exactly z standard errors away from the bound, with the standard error taken at the bound."""
    share = bound(10, 50, Z)
    assert abs(0.2 - share) == pytest.approx(Z * (share * (1 - share) / 50) ** 0.5)


def test_no_trials_prove_nothing():
    """Without trials anything is possible."""
    assert wilson.lower(0, 0, Z) == 0.0
    assert wilson.upper(0, 0, Z) == 1.0


def test_few_events_prove_almost_nothing_about_their_expectation():
    """One event may be a stroke of luck; a thousand are at least nine hundred and twenty."""
    assert wilson.count_lower(0, Z) == 0.0
    assert wilson.count_lower(1, Z) < 0.1
    assert 920 < wilson.count_lower(1000, Z) < 1000
