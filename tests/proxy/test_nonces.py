"""Nonces: made by us, young enough, never good twice, and no more memory than allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.proxy.nonces import Nonces

NOW = 1_800_000_000.5
LIFETIME, CAPACITY = 300.0, 4


def issued(nonces: Nonces, number: int, wall: float = NOW) -> str:
    """The nonce with this randomness."""
    return nonces.issue(f"{number:016x}", wall)


def accepted(nonces: Nonces, nonce: str, count: int = 1, wall: float = NOW) -> bool:
    """Whether it is good now."""
    return nonces.accept(nonce, count, wall, LIFETIME, CAPACITY)


@pytest.mark.clause("PRX-31", "RFC 7616 3.3")
def test_life_of_a_nonce() -> None:
    """Good with rising counts for as long as it lives, and not before it was made."""
    nonces = Nonces(b"key")
    nonce = issued(nonces, 1)
    assert not accepted(nonces, nonce, 0)
    assert accepted(nonces, nonce)
    assert not accepted(nonces, nonce)
    assert accepted(nonces, nonce, 7)
    assert not accepted(nonces, nonce, 6)
    assert accepted(nonces, nonce, 8, NOW + LIFETIME - 1)
    assert not accepted(nonces, nonce, 9, NOW + LIFETIME)
    assert not accepted(nonces, issued(nonces, 2), 1, NOW - 1)


@pytest.mark.clause("PRX-31", "RFC 7616 5.4")
@given(st.text(st.characters(max_codepoint=255)))
def test_an_invented_nonce_is_not_ours(text: str) -> None:
    """Nothing passes that this process has not made: no garbage, no other key's, no changed one."""
    nonces = Nonces(b"key")
    assert not accepted(nonces, text)
    real = issued(nonces, 1)
    assert not accepted(nonces, real + text) or not text
    assert not accepted(nonces, text + real[len(text) :]) or real.startswith(text)
    assert not accepted(Nonces(b"other"), real)


@pytest.mark.clause("PRX-31", "RFC 7616 5.12")
def test_a_full_memory_forgets_the_oldest_and_no_count() -> None:
    """However many are used, so many are kept; what was forgotten, and all as old, is too old from then on."""
    nonces = Nonces(b"key")
    used = [issued(nonces, number, NOW + number) for number in range(10)]
    for nonce in used:
        assert accepted(nonces, nonce, 1, NOW + 10)
        assert len(nonces) <= CAPACITY
    assert not any(accepted(nonces, nonce, 1, NOW + 10) for nonce in used)
    assert [accepted(nonces, nonce, 2, NOW + 10) for nonce in used] == [False] * 6 + [True] * 4
    assert not accepted(nonces, issued(nonces, 99, NOW), 1, NOW + 10)  # never used, and as old as a forgotten one
    assert accepted(nonces, issued(nonces, 99, NOW + 10), 1, NOW + 10)


@pytest.mark.clause("PRX-31")
def test_what_is_too_old_makes_room() -> None:
    """Nonces that have expired are forgotten first."""
    nonces = Nonces(b"key")
    for number in range(3):
        assert accepted(nonces, issued(nonces, number))
    assert accepted(nonces, issued(nonces, 9, NOW + LIFETIME), 1, NOW + LIFETIME)
    assert len(nonces) == 1
