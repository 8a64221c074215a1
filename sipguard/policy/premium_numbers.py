"""Numbers that cost the caller extra: premium-rate ranges, satellite and international networks, by prefix.

Calls there are what stolen accounts are used for. The table holds the ranges that national plans reserve for the
purpose, as far as their first digits tell; operators add to it (``policy.destinations.premium``) or except an account
(``policy.rules."destination.premium"``).
"""

from collections.abc import Iterable

from sipguard.stir.telephone_number import TN

_RANGES = {
    "1": "900",
    "27": "862",
    "30": "90",
    "31": "900 906 909",
    "32": "90",
    "33": "81 82 89",
    "34": "803 806 807 905 907",
    "351": "601 607 608 646 648 760 761 762",
    "353": "15",
    "358": "600 700",
    "36": "90",
    "370": "900",
    "371": "90",
    "372": "900",
    "381": "90",
    "385": "60",
    "386": "90",
    "39": "144 166 892 893 894 895 899",
    "40": "90",
    "41": "900 901 906",
    "420": "90",
    "421": "900",
    "43": "900 901 930 931 939",
    "44": "9 871 872 873",
    "45": "90",
    "46": "900 939 944",
    "47": "82",
    "48": "70",
    "49": "137 900",
    "52": "900",
    "55": "900",
    "61": "190",
    "64": "900",
    "65": "1900",
    "66": "1900",
    "7": "803 809",
    "81": "990",
    "84": "1900",
    "90": "900",
    "870": "",  # Inmarsat
    "881": "",  # satellite networks
    "882": "",  # international networks
    "883": "",
    "979": "",  # international premium rate
}
PREMIUM = frozenset(code + start for code, starts in _RANGES.items() for start in (starts.split() or [""]))


class PremiumNumbers:
    """The prefixes in force: those of the table and an operator's own."""

    __slots__ = ("_lengths", "_prefixes")

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._prefixes = PREMIUM.union(more)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})

    def prefix_of(self, tn: TN) -> str | None:
        """The premium prefix a canonical number begins with."""
        for length in self._lengths:
            if tn[:length] in self._prefixes:
                return tn[:length]
        return None
