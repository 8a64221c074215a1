"""The trust boundary on a single message."""

import pytest

from sipguard.proxy import presentation, privacy_service, unverified
from sipguard.sip.names import EVERYDAY
from tests.sip.messages import request

PASSED = "TN-Validation-Passed"


@pytest.mark.clause("VS-25", "VS-26", "PRV-16")
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:+1212@h;user=phone", f"sip:+1212;verstat={PASSED}@h;user=phone"),
        ("sip:+1212@h", f"sip:+1212;verstat={PASSED}@h;user=phone"),
        ("sip:1212;ext=5@h:5070", f"sip:1212;ext=5;verstat={PASSED}@h:5070;user=phone"),
        ("sips:+1212@[::1];x=y", f"sips:+1212;verstat={PASSED}@[::1];x=y;user=phone"),
        ("tel:+1212;ext=5", f"tel:+1212;ext=5;verstat={PASSED}"),
        ("sip:+1;verstat=No-TN-Validation@h;user=phone", f"sip:+1;verstat={PASSED}@h;user=phone"),
        ("sip:+1@h;user=phone;VERSTAT=x", f"sip:+1;verstat={PASSED}@h;user=phone"),
        ("sip:alice@h", "sip:alice@h"),
        ("sip:h", "sip:h"),
        ("urn:x:y", "urn:x:y"),
    ],
)
def test_verstat_is_put_where_it_belongs(uri: str, expected: str) -> None:
    """In the user part of a sip URI with user=phone, as a parameter of a tel URI, on numbers only, and only once."""
    assert presentation.with_verstat(uri, PASSED) == expected


@pytest.mark.clause("VS-27")
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:+1;verstat@h", "sip:+1@h"),
        ("tel:+1;Verstat=a;verstat=b", "tel:+1"),
        ("sip:+1;verstat=a;ext=1@h;verstat=b?x=y", "sip:+1;ext=1@h?x=y"),
        ("sip:+1;verstatus=a@h", "sip:+1;verstatus=a@h"),
        ("sip:verstat@h", "sip:verstat@h"),
    ],
)
def test_verstat_is_taken_off(uri: str, expected: str) -> None:
    """Every spelling goes, and nothing that only looks like it."""
    assert presentation.with_verstat(uri, None) == presentation.without_verstat(uri) == expected


@pytest.mark.clause("PRV-03", "PRV-04")
@pytest.mark.parametrize(
    ("value", "wanted"),
    [("id", True), ("ID", True), ("user; id ;critical", True), ("none", False), ("header", False), ("ids", False)],
)
def test_who_asks_for_privacy(value: str, wanted: bool) -> None:
    """id among the priv-values."""
    assert presentation.hides_identity(request(f"Privacy: {value}")) is wanted
    assert presentation.hides_identity(request()) is False


@pytest.mark.clause("PRV-01", "PRV-02", "PRV-03", "PRV-07", "EXT-07")
@pytest.mark.parametrize(
    ("source", "destination", "privacy", "asserted", "rest"),
    [
        (False, False, "none", False, False),
        (False, True, "none", False, False),
        (True, False, "none", True, False),
        (True, False, "id", False, False),
        (True, True, "id", True, True),
    ],
)
def test_the_boundary(source: bool, destination: bool, privacy: str, asserted: bool, rest: bool) -> None:
    """Nothing of trust enters or leaves the trust domain, but PAI, which leaves unless privacy was asked for."""
    fork = request("P-Asserted-Identity: <sip:a@b>", "P-Charge-Info: <sip:a@b>", f"Privacy: {privacy}").fork()
    presentation.cross(fork, source, destination)
    assert (fork.has("p-asserted-identity"), fork.has("p-charge-info")) == (asserted, rest)


def test_everyday_fields_are_no_business_of_the_boundary() -> None:
    """No field that the trust boundary looks at counts as an everyday one, or it would be overlooked."""
    concerned = presentation.TRUSTED_ONLY | unverified.CONCERNED | privacy_service.PAST | {presentation.ASSERTED}
    assert concerned.isdisjoint(EVERYDAY)
