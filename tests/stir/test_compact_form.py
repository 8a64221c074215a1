"""The compact form of base PASSporTs, both ways (RFC 8225 §7)."""

import pytest

from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.media_key import Fingerprint
from sipguard.stir.passport_writer import sign_base
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason, Verdict, Verstat
from sipguard.stir.verification import MissingCertificate
from tests.stir.kit import DEST, NOW, ORIG, URL, ask, identity, judge, signer

KEYS = (Fingerprint("sha-256", "AB"),)
ALICE = "sip:alice@example.com"


def compact(*dest: str, iat: int = NOW, keys: tuple[Fingerprint, ...] = ()) -> str:
    """A compact base PASSporT."""
    return sign_base(signer(), ORIG, dest or [DEST], UnixTime(iat), keys, compact=True)


@pytest.mark.clause("VS-15", "PPT-08", "RFC 8225 7")
def test_the_request_completes_the_token() -> None:
    """Date, caller, called number and fingerprints give back what was signed."""
    value = compact()
    assert value.startswith("..")
    assert value.endswith(f";info=<{URL}>;alg=ES256")
    verdict = judge([value], date=NOW)
    assert (verdict.verstat, verdict.best.ppt, verdict.best.iat) == (Verstat.PASSED, None, NOW)
    assert judge([compact(keys=KEYS)], date=NOW, media_keys=KEYS).verstat is Verstat.PASSED
    assert judge([compact(ALICE)], date=NOW, dest=(), to_uri=ALICE).verstat is Verstat.PASSED


@pytest.mark.clause("VS-15", "VS-09", "VS-17", "PPT-06")
@pytest.mark.parametrize(
    "changes",
    [{"orig": ("12155550009",)}, {"dest": ("12155550009",)}, {"date": UnixTime(NOW - 1)}, {"media_keys": KEYS}],
)
def test_any_other_request_is_not_what_was_signed(changes: dict[str, object]) -> None:
    """Another caller, called number, Date or fingerprint breaks the signature."""
    assert judge([compact()], **{"date": NOW, **changes}).reason is Reason.SIGNATURE


@pytest.mark.clause("VS-15", "VS-11")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"date": None}, Reason.COMPACT_FORM),
        ({"date": UnixTime(NOW - 61)}, Reason.STALE),
        ({"date": UnixTime(NOW + 61)}, Reason.STALE),
        ({"orig": ()}, Reason.ORIG_MISMATCH),
        ({"dest": ()}, Reason.DEST_MISMATCH),
    ],
)
def test_what_the_request_must_have(changes: dict[str, object], reason: Reason) -> None:
    """Without a fresh Date, a caller or a called identity there is nothing to reconstruct, and nothing is fetched."""
    verdict = ask([compact()], CertificateCache(), **{"date": NOW, **changes})
    assert isinstance(verdict, Verdict)
    assert verdict.reason is reason


@pytest.mark.clause("VS-16", "AS-20", "RFC 8588 3")
@pytest.mark.parametrize("ppt", ["shaken", "div", "rph", "rcd", "div-o"])
def test_no_other_type_has_a_compact_form(ppt: str) -> None:
    """SHAKEN forbids it, the others define no way to find their claims."""
    verdict = judge([f"{compact()};ppt={ppt}"], date=NOW)
    assert verdict.results[0].reason is Reason.COMPACT_FORM
    assert verdict.verstat is not Verstat.PASSED
    assert not identity().startswith(".")


@pytest.mark.clause("VS-37", "VS-31", "PPT-14")
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("..", Reason.MALFORMED_TOKEN),
        ("..AAAA", Reason.MALFORMED_TOKEN),
        ("..A.A", Reason.MALFORMED_TOKEN),
        ("..!", Reason.MALFORMED_TOKEN),
        ("...", Reason.MALFORMED_TOKEN),
    ],
)
def test_a_malformed_signature(value: str, reason: Reason) -> None:
    """What follows the two periods is 64 octets in base64url."""
    assert judge([f"{value};info=<{URL}>"], date=NOW).reason is reason


@pytest.mark.clause("VS-31", "VS-35")
def test_the_rules_on_certificates_hold() -> None:
    """The URL in info is judged, and the certificate asked for, as for a full token."""
    assert judge([compact().replace("https", "http")], date=NOW).reason is Reason.X5U_REFUSED
    assert ask([compact()], CertificateCache(), date=NOW) == MissingCertificate(URL)
