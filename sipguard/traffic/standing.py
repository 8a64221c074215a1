"""Standing: what an account's traffic looks like right now, with the figures that led there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an account is tagged as a robo-dialer, and why.

    ``points`` and ``features`` are those of the last evaluation; ``reasons`` are stable words, those that tagged the
    account for as long as it is tagged.
    """

    tagged: bool = False
    points: float = 0.0
    reasons: tuple[str, ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)


NEUTRAL = Standing()


class StandingChange(NamedTuple):
    """An account was tagged or untagged; ``standing`` is the new one."""

    account: str
    standing: Standing
