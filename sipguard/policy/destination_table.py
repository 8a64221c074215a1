"""Values by where a number leads: by prefix, of which the longest counts, or by country."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sipguard.policy.countries import country_of
from sipguard.stir.telephone_number import TN

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DestinationTable(Generic[_T]):
    """A key of ``values`` is a prefix like ``+2247`` or a country like ``GN``; a prefix comes before a country."""

    values: Mapping[str, _T] = field(default_factory=dict)
    _prefixes: Mapping[str, str] = field(init=False, compare=False, repr=False)  # without their plus, and with it
    _lengths: tuple[int, ...] = field(init=False, compare=False, repr=False)
    _has_countries: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Sort the keys out."""
        prefixes = {key[1:]: key for key in self.values if key[:1] == "+"}
        object.__setattr__(self, "_prefixes", prefixes)
        object.__setattr__(self, "_lengths", tuple(sorted({len(prefix) for prefix in prefixes}, reverse=True)))
        object.__setattr__(self, "_has_countries", len(prefixes) < len(self.values))

    def __bool__(self) -> bool:
        return bool(self.values)

    @property
    def longest(self) -> int:
        """The digits of the longest prefix; 0 without any."""
        return max(self._lengths, default=0)

    def prefix_of(self, tn: TN) -> str | None:
        """The longest prefix that a canonical number begins with."""
        for length in self._lengths:
            found = self._prefixes.get(tn[:length])
            if found is not None:
                return found
        return None

    def find(self, tn: TN) -> tuple[str, _T] | None:
        """The key and value of a canonical number."""
        key = self.prefix_of(tn)
        if key is None and self._has_countries:
            key = country_of(tn)
        if key is None or key not in self.values:
            return None
        return key, self.values[key]
