"""Which calls count as repeated calls of an account to one number, and how many there may be."""

from dataclasses import dataclass

from sipguard.policy.call import Call
from sipguard.policy.callee import callee_of, sells
from sipguard.traffic.repeats import Pair


@dataclass(frozen=True, slots=True)
class RepeatedCalls:
    """So many ``calls`` of an account to one number within ``window`` seconds are enough.

    ``everybody`` is whether calls of accounts that do not sell are counted, too.
    """

    calls: int = 3
    window: float = 86_400.0
    everybody: bool = False

    def pair_of(self, call: Call) -> Pair | None:
        """What a call counts for; None when it does not count."""
        account = call.account
        if account is None or not (self.everybody or sells(call)) or call.request.method != "INVITE":
            return None
        tn = callee_of(call)
        return None if tn is None else (account.name, tn)
