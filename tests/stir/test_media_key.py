"""Media keys: SDP fingerprints and the mky claim (RFC 8225 §5.2.2)."""

from typing import Any

import pytest

from sipguard.stir.media_key import Fingerprint, fingerprints, to_claim
from sipguard.stir.passport_writer import sign_base
from sipguard.stir.verdict import Reason, Verstat
from tests.stir.kit import DEST, NOW, ORIG, ORIGID, forged, judge, signer

FIRST = "4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"
SECOND = "02:1A:CC:54:27:AB:EB:9C:53:3F:3E:4B:65:2E:7D:46:3F:54:42:CD"
SDP = f"v=0\r\nm=audio 1 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:SHA-1 {FIRST}\r\na=fingerprint:sha-1 {SECOND.lower()}\r\n"
KEYS = (Fingerprint("sha-1", SECOND.replace(":", "")), Fingerprint("sha-1", FIRST.replace(":", "")))


@pytest.mark.clause("PPT-06", "AS-13", "RFC 8225 5.2.2")
def test_fingerprints_are_sorted_and_unique() -> None:
    """Order, repetition, letter case and colons of the SDP lines say nothing."""
    lines = SDP.splitlines(keepends=True)
    for body in (SDP, "".join(reversed(lines)), SDP + lines[2], SDP.replace("\r\n", "\n")):
        assert fingerprints(body.encode()) == KEYS
    assert to_claim(KEYS) == to_claim(reversed(KEYS))
    assert to_claim(KEYS[:1]) == f'[{{"alg":"sha-1","dig":"{SECOND.replace(":", "")}"}}]'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"v=0\r\n",
        b"a=fingerprint:sha-1\r\n",
        b"a=fingerprint:sha-1 xyz\r\n",
        b"x a=fingerprint:sha-1 AB\r\n",
        b"\xff" * 99,
    ],
)
def test_what_is_no_fingerprint(body: bytes) -> None:
    """Other bodies and lines hold none."""
    assert fingerprints(body) == ()


def test_sdp_inside_a_multipart_body() -> None:
    """The SDP of a call with a location lies between boundaries."""
    location = "--b\r\nContent-Type: application/pidf+xml\r\n\r\n<x/>\r\n--b--"
    body = f"--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n{location}"
    assert fingerprints(body.encode()) == KEYS


@pytest.mark.clause("PPT-06", "AS-13", "RFC 8224 4.1")
def test_signed_keys_are_those_of_the_sdp() -> None:
    """A token with mky passes for its SDP, in whatever order, and for no other."""
    shaken = signer().sign_shaken(ORIG, [DEST], "A", ORIGID, NOW, KEYS)
    for value in (shaken, sign_base(signer(), ORIG, [DEST], NOW, reversed(KEYS))):  # type: ignore[arg-type]
        assert judge([value], media_keys=KEYS).verstat is Verstat.PASSED
        for other in ((), KEYS[:1], (*KEYS, Fingerprint("sha-256", "AB"))):
            verdict = judge([value], media_keys=other)
            assert (verdict.reason, verdict.code) == (Reason.MEDIA_KEY, 438)


@pytest.mark.clause("PPT-06")
def test_a_token_without_keys_says_nothing_of_them() -> None:
    """SHAKEN tokens of networks that don't sign media keys pass beside an SDP that has some."""
    assert judge([forged()], media_keys=KEYS).verstat is Verstat.PASSED


@pytest.mark.clause("PPT-06")
@pytest.mark.parametrize(
    "claim",
    [
        [],
        {},
        "x",
        [1],
        [{"alg": "sha-1"}],
        [{"alg": 1, "dig": "AB"}],
        [{"alg": "sha-1", "dig": "xyz"}],
        [{"alg": "", "dig": "AB"}],
        [{"alg": "sha-1", "dig": "AB"}] * 65,
    ],
)
def test_a_malformed_claim_is_refused(claim: Any) -> None:
    """mky is an array of fingerprints or the token fails."""
    assert judge([forged(mky=claim)], media_keys=KEYS).reason is Reason.CLAIMS


@pytest.mark.clause("PPT-06")
def test_colons_and_case_in_the_claim_are_tolerated() -> None:
    """A signer that copied the SDP's spelling meant the same fingerprint."""
    assert judge([forged(mky=[{"alg": "SHA-1", "dig": FIRST.lower()}])], media_keys=KEYS[1:]).reason is None
