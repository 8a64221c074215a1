"""How often people may be called by the same account."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RepeatedCalls:
    """So many ``calls`` of an account to one number within ``window`` seconds are enough.

    ``everybody`` is whether calls of accounts that do not sell are counted, too.
    """

    calls: int = 3
    window: float = 86_400.0
    everybody: bool = False
