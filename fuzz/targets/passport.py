"""Whatever a correctly signed PASSporT says in header, claims and parameters, verification gives a verdict and raises
nothing.

The input is protected header, payload and parameters, each on a line; they are signed with the good key, because a
random octet never makes a signature right and what stands behind it would never be reached.
"""

from fuzz.targets.identity import verdict
from tests.stir.kit import field, sign


def check(data: bytes) -> None:
    """The invariant, for one token."""
    header, _, rest = data.partition(b"\n")
    claims, _, parameters = rest.partition(b"\n")
    verdict([field(sign(header, claims), parameters.decode("latin-1"))])
