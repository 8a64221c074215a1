"""Attestation levels and origination identifiers (RFC 8588 §4, §5, §10)."""

import uuid

import pytest

from sipguard.stir.attestation import Attestation, OriginationIdentifiers

SECRET = b"a secret of at least sixteen octets"


@pytest.mark.clause("AS-17")
def test_there_are_three_levels() -> None:
    """A, B and C, and nothing else."""
    assert [str(level) for level in Attestation] == ["A", "B", "C"]
    with pytest.raises(ValueError, match="X"):
        Attestation("X")


@pytest.mark.clause("AS-22")
def test_a_cap_only_ever_lowers() -> None:
    """A capped level never vouches for more than before."""
    a, b, c = Attestation
    assert (a.capped(None), a.capped(b), b.capped(a), c.capped(b), a.capped(c)) == (a, b, b, c, c)


@pytest.mark.clause("AS-18", "AS-19")
def test_an_origid_is_a_uuid_of_account_and_class() -> None:
    """Stable for one source, different for another account, class or secret, and told apart by us only."""
    identifiers = OriginationIdentifiers(SECRET)
    mine = identifiers.of("acme", "conversational")
    assert uuid.UUID(mine).version == 5
    assert mine == str(uuid.UUID(mine)) == OriginationIdentifiers(SECRET).of("acme", "conversational")
    others = {
        identifiers.of("acme", "dialer"),
        identifiers.of("acme2", "conversational"),
        identifiers.of("acme\0conversational", ""),
        OriginationIdentifiers(SECRET + b"x").of("acme", "conversational"),
    }
    assert len(others | {mine}) == 5


def test_a_short_secret_is_refused() -> None:
    """A guessable secret would let anybody tell whose origid it is."""
    with pytest.raises(ValueError, match="16"):
        OriginationIdentifiers(b"short")
