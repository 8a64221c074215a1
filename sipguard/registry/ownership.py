"""Who owns what already: a number has one owner at most, whether it is claimed alone or in a block.

The same check serves one number and a file with a million rows: the registry is asked only for what could be in the
way, in batches by primary key.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sipguard.policy.pattern import Form, block_pattern, forms_of, split_block
from sipguard.registry.schema import NumberRow

_BATCH = 500  # patterns in one question to the database
_LAST = "X" * 20  # sorts behind every number with the same prefix


class Claim(NamedTuple):
    """That an account is to own a number or a block; ``line`` is where a file says so."""

    line: int
    pattern: str
    account: str


class Conflict(NamedTuple):
    """A claim and what is in its way: ``line`` is where the file claims that, 0 when the registry has it."""

    claim: Claim
    pattern: str
    account: str
    line: int


def conflicts(
    session: Session, claims: Sequence[Claim], released: Collection[tuple[str, str]] = frozenset()
) -> Iterator[Conflict]:
    """What is in the way of these claims. ``released`` are ownerships that end with them: (pattern, account)."""
    in_file: dict[str, Claim] = {}
    for claim in claims:
        in_file.setdefault(claim.pattern, claim)
    forms = _forms([*in_file, *_stored_blocks(session)])
    for start in range(0, len(claims), _BATCH):
        batch = claims[start : start + _BATCH]
        wanted = {pattern for claim in batch for pattern in _covering(claim.pattern, forms)}
        stored = _owners(session, wanted, released)
        for claim in batch:
            yield from _conflict(session, claim, forms, in_file, stored, released)


def _conflict(
    session: Session, claim: Claim, forms: Sequence[Form], in_file: dict[str, Claim], stored: dict[str, str],
    released: Collection[tuple[str, str]],
) -> Iterator[Conflict]:  # fmt: skip
    """The first thing in the way of one claim."""
    for pattern in _covering(claim.pattern, forms):
        earlier = in_file.get(pattern)
        if earlier is not None and earlier.account != claim.account:
            yield Conflict(claim, pattern, earlier.account, earlier.line)
            return
        owner = stored.get(pattern)
        if owner is not None and owner != claim.account:
            yield Conflict(claim, pattern, owner, 0)
            return
    block = split_block(claim.pattern)
    for pattern, owner in _owners_inside(session, *block, released) if block is not None else ():
        if owner != claim.account:
            yield Conflict(claim, pattern, owner, 0)
            return


def _covering(pattern: str, forms: Sequence[Form]) -> Iterator[str]:
    """A pattern itself, and every block of these forms it is in."""
    yield pattern
    prefix = pattern.rstrip("X")
    for prefix_length, length in forms:
        if length == len(pattern) and prefix_length < len(prefix):
            yield block_pattern(prefix[:prefix_length], length)


def _owners(session: Session, patterns: Iterable[str], released: Collection[tuple[str, str]]) -> dict[str, str]:
    listed = list(patterns)
    found: dict[str, str] = {}
    for start in range(0, len(listed), _BATCH):
        statement = select(NumberRow.tn, NumberRow.account).where(
            NumberRow.tn.in_(listed[start : start + _BATCH]), NumberRow.kind == "owned"
        )
        found.update((tn, account) for tn, account in session.execute(statement) if (tn, account) not in released)
    return found


def _owners_inside(
    session: Session, prefix: str, length: int, released: Collection[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """One number or smaller block of each account that owns some in a block and does not release them all."""
    inside = (
        NumberRow.tn >= prefix,
        NumberRow.tn <= prefix + _LAST,
        NumberRow.kind == "owned",
        func.length(NumberRow.tn) == length,
    )
    first = select(func.min(NumberRow.tn), NumberRow.account).where(*inside).group_by(NumberRow.account)
    for tn, account in session.execute(first).all():
        if (tn, account) not in released:
            yield tn, account
            continue
        others = select(NumberRow.tn).where(*inside, NumberRow.account == account)
        left = next((other for other in session.execute(others).scalars() if (other, account) not in released), None)
        if left is not None:
            yield left, account


def _stored_blocks(session: Session) -> Sequence[str]:
    return session.execute(select(NumberRow.tn).where(NumberRow.tn.like("%X"))).scalars().all()


def _forms(patterns: Iterable[str]) -> list[Form]:
    return forms_of(block for block in map(split_block, patterns) if block is not None)
