"""Whatever an Identity header field holds, verification gives a verdict, never raises, and never finds a token good
that the test authority did not sign.

The input is one field value, or several with an empty line between them.
"""

from sipguard.errors import MalformedValue
from sipguard.stir.identity_header import parse_identity
from sipguard.stir.verdict import Verdict, Verstat
from sipguard.stir.verification import VerificationService
from tests.stir.kit import NOW, anchors, filled_cache, signalling

SERVICE = VerificationService(anchors())
STORE = filled_cache()
CALL = signalling(request_tn="12155551212", resource_priority=("esnet.0",), callback=True, date=NOW)


def check(data: bytes) -> None:
    """The invariant, for the fields of one request."""
    verdict(data.decode("latin-1").split("\r\n\r\n")[:8])


def verdict(values: list[str]) -> Verdict:
    """The verdict, every certificate that is not at hand given up."""
    for value in values:
        try:
            token = parse_identity(value).token
        except MalformedValue:
            continue
        assert ";" not in token
    unavailable: frozenset[str] = frozenset()
    for _ in range(2 * len(values) + 2):
        outcome = SERVICE.verify(values, CALL, STORE, NOW, unavailable)
        if isinstance(outcome, Verdict):
            assert all(result.detail.isascii() and result.detail.isprintable() for result in outcome.results)
            assert outcome.verstat in Verstat
            return outcome
        unavailable |= {outcome.url}
    raise AssertionError("more certificates are asked for than there are fields")
