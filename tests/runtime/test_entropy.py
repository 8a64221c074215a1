"""Randomness for branches and tags."""

from sipguard.runtime.entropy import Entropy


def test_tokens_are_sixteen_digits_and_never_repeat() -> None:
    """Also past the end of the pool a system call filled."""
    entropy = Entropy()
    tokens = [entropy() for _ in range(2000)]
    assert len(set(tokens)) == 2000
    assert all(len(token) == 16 and int(token, 16) >= 0 for token in tokens)
