"""The local hours in which people may be called."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.policy.calling_hours import CallingHours, nowhere

EAST, WEST, BERLIN, KOLKATA = map(
    ZoneInfo, ("America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata")
)
TCPA = CallingHours()


def at(text):
    """A moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize(
    ("zone", "moment", "closed"),
    [
        (EAST, "2026-01-15T12:59:59", True),
        (EAST, "2026-01-15T13:00:00", False),
        (EAST, "2026-01-16T01:59:59", False),
        (EAST, "2026-01-16T02:00:00", True),
        (EAST, "2026-07-15T12:00:00", False),
        (KOLKATA, "2026-01-15T02:29:59", True),
        (KOLKATA, "2026-01-15T02:30:00", False),
    ],
)
def test_from_eight_until_before_nine_in_the_evening(zone, moment, closed):
    """The clock on the wall of the called person decides, in winter, in summer and where it is half an hour off."""
    assert (TCPA.closed((zone,), at(moment)) is not None) is closed


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize(
    ("zone", "last_closed", "opens"),
    [
        (EAST, "2026-03-07T12:59:59", "2026-03-07T13:00:00"),  # the day before the clocks go forward
        (EAST, "2026-03-08T11:59:59", "2026-03-08T12:00:00"),  # that Sunday
        (EAST, "2026-10-31T11:59:59", "2026-10-31T12:00:00"),  # the day before they go back
        (EAST, "2026-11-01T12:59:59", "2026-11-01T13:00:00"),
        (BERLIN, "2026-03-28T06:59:59", "2026-03-28T07:00:00"),
        (BERLIN, "2026-03-29T05:59:59", "2026-03-29T06:00:00"),
        (BERLIN, "2026-10-25T06:59:59", "2026-10-25T07:00:00"),
    ],
)
def test_when_the_clocks_change(zone, last_closed, opens):
    """On the very day of the change eight o'clock is what the new time says."""
    assert TCPA.closed((zone,), at(last_closed)) is not None
    assert TCPA.closed((zone,), at(opens)) is None


def test_an_hour_that_comes_twice_or_never():
    """Half past one comes twice in autumn, and both are open; in spring two o'clock never comes, and it is three."""
    night = CallingHours(opens=90, closes=150)
    assert night.closed((EAST,), at("2026-11-01T05:30:00")) is None  # 01:30 summer time
    assert night.closed((EAST,), at("2026-11-01T06:30:00")) is None  # 01:30 winter time
    assert night.closed((EAST,), at("2026-03-08T06:45:00")) is None  # 01:45
    assert night.closed((EAST,), at("2026-03-08T07:00:00")) is not None  # 03:00


@pytest.mark.clause("policy: destinations")
def test_in_several_zones_it_must_be_time_in_each():
    """A number that may be on either coast is called between eight in the west and nine in the east."""
    zones = (EAST, WEST)
    assert TCPA.closed(zones, at("2026-01-15T15:59:59")) == "07:59 on Thursday in America/Los_Angeles"
    assert TCPA.closed(zones, at("2026-01-15T16:00:00")) is None
    assert TCPA.closed(zones, at("2026-01-16T01:59:59")) is None
    assert TCPA.closed(zones, at("2026-01-16T02:00:00")) == "21:00 on Thursday in America/New_York"


def test_days_are_local_too():
    """Sunday begins where the called person is."""
    weekdays = CallingHours(0, 24 * 60, frozenset(range(6)))
    assert weekdays.closed((EAST,), at("2026-11-22T04:59:59")) is None  # Saturday, one second to midnight
    assert weekdays.closed((EAST,), at("2026-11-22T05:00:00")) == "00:00 on Sunday in America/New_York"
    assert weekdays.closed((EAST,), at("2026-11-23T05:00:00")) is None


def test_a_number_of_no_zone_is_called_at_any_time():
    """Nothing is known of where it may be, or it is nobody's home."""
    assert TCPA.closed(nowhere("18005550100"), 0) is None


@given(st.integers(0, 4_000_000_000), st.sampled_from([EAST, WEST, BERLIN, KOLKATA]))
def test_a_day_has_thirteen_hours_of_it(moment, zone):
    """Open exactly when the local clock shows eight to before nine in the evening."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)).astimezone(zone)
    assert (TCPA.closed((zone,), moment) is None) == (8 <= local.hour < 21)
