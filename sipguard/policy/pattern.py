"""Blocks of numbers: a prefix and how long the numbers are, written with trailing X (``1999XXXXXXX``)."""

from collections.abc import Iterable

Form = tuple[int, int]  # (length of the prefix, length of the numbers)


def split_block(pattern: str) -> tuple[str, int] | None:
    """Prefix and length of a block; None when the pattern is a single number."""
    prefix = pattern.rstrip("X")
    return None if len(prefix) == len(pattern) else (prefix, len(pattern))


def block_key(prefix: str, length: int) -> str:
    """One text of digits for a block, as a key among other blocks."""
    return f"{length:02d}{prefix}"


def forms_of(blocks: Iterable[tuple[str, int]]) -> list[Form]:
    """The different forms of some blocks, the longest prefix first: in that order a number is looked for."""
    return sorted({(len(prefix), length) for prefix, length in blocks}, reverse=True)


def block_pattern(prefix: str, length: int) -> str:
    """How a block is written."""
    return prefix + "X" * (length - len(prefix))
