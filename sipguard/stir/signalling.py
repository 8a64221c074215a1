"""What the request itself says, in canonical form: the side of the comparison that a token never replaces.

(RFC 8224 §6.2.4, §8.3, §8.5)
"""

from dataclasses import dataclass

from sipguard.stir.media_key import Fingerprint
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime


@dataclass(frozen=True, slots=True)
class Signalling:
    """The parts of a request that PASSporTs speak of.

    ``to_uri`` and ``request_uri`` are normalised URIs, set only where To or the Request-URI holds no number.
    ``resource_priority`` are the values of Resource-Priority, in lower case.
    """

    orig: tuple[TN, ...]  # the asserted identities: P-Asserted-Identity when there is one, else From (AS-23)
    dest: tuple[TN, ...]  # To
    call_id: str
    request_tn: TN | None = None  # the request URI
    date: UnixTime | None = None
    to_uri: str | None = None
    request_uri: str | None = None
    media_keys: tuple[Fingerprint, ...] = ()
    resource_priority: tuple[str, ...] = ()
    callback: bool = False  # Priority says psap-callback (RFC 7090)

    @property
    def target(self) -> frozenset[str]:
        """Where the call goes now: the Request-URI, and To where that names nobody (RFC 8946 §4.2 step 1)."""
        now = self.request_tn or self.request_uri
        if now is not None:
            return frozenset((now,))
        return frozenset(self.dest or ((self.to_uri,) if self.to_uri is not None else ()))
