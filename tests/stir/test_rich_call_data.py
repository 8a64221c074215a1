"""Rich call data: rcd, rcdi and crn (RFC 9795)."""

import hashlib
import json
from base64 import b64encode
from typing import Any

import pytest

from sipguard.errors import MalformedValue
from sipguard.stir import base64url
from sipguard.stir.claim_constraints import ClaimConstraints
from sipguard.stir.passport_writer import sign_rcd
from sipguard.stir.rich_call_data import digests
from sipguard.stir.verdict import Reason, Verdict, Verstat
from sipguard.testing.sti_ca import Shape
from tests.stir.kit import (
    ABSENT,
    CLAIMS,
    DEST,
    HEADER,
    NOW,
    ORIG,
    URL,
    authority,
    changed,
    field,
    filled_cache,
    forged,
    identity,
    judge,
    sign,
    signer,
)

CARD = ["vcard", [["version", {}, "text", "4.0"], ["photo", {}, "uri", "https://example.com/p.png"]]]
RCD = {"jcd": CARD, "nam": "Q Branch"}
BASE = {"dest": {"tn": [DEST]}, "iat": NOW, "orig": {"tn": ORIG}, "rcd": RCD}


def rcd(**claims: Any) -> str:
    """An rcd PASSporT with other claims, correctly signed."""
    token = sign(changed(HEADER, {"ppt": "rcd"}), changed(BASE, claims))
    return field(token, f";info=<{URL}>;ppt=rcd")


def digest(value: Any, kind: str = "sha256") -> str:
    """An integrity digest as another implementation would make it."""
    octets = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()
    return f"{kind}-{b64encode(hashlib.new(kind, octets).digest()).decode()}"


def told(verdict: Verdict) -> tuple[Verstat, Reason | None]:
    """What a verdict comes to."""
    return verdict.verstat, verdict.reason


@pytest.mark.clause("RCD-01", "RCD-04")
def test_what_is_verified_is_told() -> None:
    """Name, card and reason of the call are values of the verdict."""
    verdict = judge(
        [rcd(crn="Your parcel", rcd={"nam": "Zoë", "apn": "12155550001", "icn": "https://e.example/i.png"})]
    )
    assert told(verdict) == (Verstat.PASSED, None)
    assert verdict.rich == ("Zoë", "12155550001", "https://e.example/i.png", None, None, "Your parcel", (), False)
    assert judge([rcd()]).rich == ("Q Branch", None, None, CARD, None, None, (), False)
    assert judge([identity()]).rich is None


@pytest.mark.clause("RCD-01", "VS-37")
@pytest.mark.parametrize(
    "changes",
    [
        {"rcd": ABSENT},
        {"rcd": "x"},
        {"rcd": {}},
        {"rcd": {"nam": 1}},
        {"rcd": {"jcd": CARD}},
        {"rcd": {**RCD, "jcl": "https://example.org/j.json"}},
        {"rcd": {**RCD, "jcd": {}}},
        {"rcd": {**RCD, "jcd": ["vcard"]}},
        {"rcd": {**RCD, "jcd": ["hcard", []]}},
        {"rcd": {**RCD, "apn": "+1"}},
        {"rcd": {**RCD, "apn": 1}},
        {"rcd": {**RCD, "icn": ["x"]}},
        {"crn": 1},
        {"crn": ""},
        {"rcdi": {}},
        {"rcdi": []},
        {"orig": ABSENT},
    ],
)
def test_malformed_claims_fail(changes: dict[str, Any]) -> None:
    """nam is mandatory, jcd and jcl exclude each other, and each member is what it should be."""
    assert told(judge([rcd(**changes)])) == (Verstat.FAILED, Reason.CLAIMS)


@pytest.mark.clause("RCD-02", "RCD-03")
@pytest.mark.parametrize("kind", ["sha256", "sha384", "sha512"])
def test_digests_over_what_the_token_holds(kind: str) -> None:
    """A string with its quotes, a card as compact JSON, a place inside it; padded or not, in any order of members."""
    card = ["vcard", [["n", {"z": 1, "a": 2}, "text", ["Zoë", ""]]]]
    held = {"jcd": card, "nam": "Zoë"}
    rcdi = {"/nam": digest("Zoë", kind), "/jcd": digest(card, kind), "/jcd/1/0/3/0": digest("Zoë", kind).rstrip("=")}
    assert told(judge([rcd(rcd=held, rcdi=rcdi)])) == (Verstat.PASSED, None)
    for pointer in rcdi:
        wrong = {**rcdi, pointer: digest("other", kind)}
        assert told(judge([rcd(rcd=held, rcdi=wrong)])) == (Verstat.FAILED, Reason.DIGEST)


@pytest.mark.clause("RCD-03", "VS-37")
@pytest.mark.parametrize(
    "rcdi",
    [
        {"/nam": "md5-AAAA"},
        {"/nam": "sha256-"},
        {"/nam": "sha256:AAAA"},
        {"/nam": 1},
        {"/none": digest("Q Branch")},
        {"nam": digest("Q Branch")},
        {"": digest(RCD)},
        {"/nam/0": digest("Q")},
        {"/jcd/9": digest("Q")},
        {"/jcd/-1": digest("Q")},
        {"/jcd/01000000": digest("Q")},
        {"/nam~2": digest("Q")},
        {"/jcd/\u0661": digest("Q")},
    ],
)
def test_unusable_digests_fail(rcdi: dict[str, Any]) -> None:
    """An unknown algorithm, or a pointer at nothing, makes the PASSporT invalid."""
    assert told(judge([rcd(rcdi=rcdi)])) == (Verstat.FAILED, Reason.DIGEST)


@pytest.mark.clause("RCD-02", "RCD-08")
def test_digests_over_linked_content_are_handed_on() -> None:
    """We fetch nothing that a caller names: such digests are left to whoever does."""
    photo = digest("whatever")
    verdict = judge([rcd(rcdi={"/nam": digest("Q Branch"), "/jcd/1/1/3": photo})])
    assert verdict.rich is not None
    assert verdict.rich.deferred == (("/jcd/1/1/3", photo),)
    linked = {"nam": "Q", "jcl": "https://e.example/card.json", "icn": "https://e.example/i.png"}
    verdict = judge([rcd(rcd=linked, rcdi={"/jcl/1/2": photo, "/icn": photo})])
    assert verdict.rich is not None
    assert [pointer for pointer, _ in verdict.rich.deferred] == ["/jcl/1/2", "/icn"]
    assert judge([rcd(rcdi={"/icn": photo})]).reason is Reason.DIGEST  # there is no icn


@pytest.mark.clause("RCD-04")
def test_a_long_reason_is_cut() -> None:
    """Sixty-four characters are worth showing; crn inside rcd is not one."""
    verdict = judge([rcd(crn="x" * 100, rcd={"nam": "Q", "crn": "inside"})])
    assert verdict.rich is not None
    assert verdict.rich.crn == "x" * 64
    verdict = judge([rcd(rcd={"nam": "Q", "crn": "inside"})])
    assert verdict.rich is not None
    assert verdict.rich.crn is None


@pytest.mark.clause("RCD-05")
def test_a_third_party_vouches_for_the_data_only() -> None:
    """With iss the signer is not the caller's provider: the number is not validated by it."""
    verdict = judge([rcd(iss="Example brands")])
    assert (verdict.verstat, verdict.reason) == (Verstat.NONE, Reason.MISSING)
    assert verdict.rich is not None
    both = judge([rcd(iss="Example brands"), identity()])
    assert (both.verstat, both.attest) == (Verstat.PASSED, "A")
    assert both.rich is not None


@pytest.mark.clause("RCD-05", "CRT-05", "CRT-06")
def test_a_certificate_may_forbid_or_fix_it() -> None:
    """A holder that must not claim rich call data does not; one with permitted names claims those only."""
    name = json.dumps({"nam": "Q Branch"}, separators=(",", ":"))
    for constraints, nam, reason in (
        (ClaimConstraints(must_exclude=("rcd",)), "Q Branch", Reason.CLAIMS_NOT_PERMITTED),
        (ClaimConstraints(permitted_values=(("rcd", frozenset((name,))),)), "Q Branch", None),
        (ClaimConstraints(permitted_values=(("rcd", frozenset((name,))),)), "Your Bank", Reason.CLAIMS_NOT_PERMITTED),
    ):
        issued = authority().issue(Shape(constraints=constraints))
        token = sign(changed(HEADER, {"ppt": "rcd"}), changed(BASE, {"rcd": {"nam": nam}}), issued.key)
        verdict = judge([field(token, f";info=<{URL}>;ppt=rcd")], store=filled_cache(issued.chain_pem))
        assert verdict.reason is reason
        assert (verdict.rich is not None) is (reason is None)


@pytest.mark.clause("RCD-01", "VS-14", "PPT-09")
def test_rich_call_data_in_a_shaken_token() -> None:
    """It is told where it holds, and dropped where it does not: the number stands."""
    verdict = judge([forged(rcd=RCD, crn="Hello")])
    assert (verdict.attest, verdict.rich and verdict.rich.nam, verdict.rich and verdict.rich.crn) == (
        "A",
        "Q Branch",
        "Hello",
    )
    for wrong in ({"rcd": 1}, {"rcd": RCD, "rcdi": {"/nam": digest("other")}}):
        verdict = judge([forged(**wrong)])
        assert (verdict.verstat, verdict.rich) == (Verstat.PASSED, None)
    assert judge([forged(rcd=RCD, iat=NOW - 61)]).rich is None


@pytest.mark.clause("RCD-01", "RCD-02", "PPT-10")
def test_what_is_signed() -> None:
    """Canonical JSON, UTF-8 as it is, digests over name, card and linked content."""
    held = {"nam": "Zoë", "jcd": CARD}
    value = sign_rcd(signer(), ORIG, [DEST], NOW, held, "Hi", {"/jcd/1/1/3": b"PNG"})
    payload = base64url.decode(value.split(".")[1]).decode()
    assert '"nam":"Zoë"' in payload
    members = json.loads(payload)
    assert list(members) == sorted(members) == ["crn", "dest", "iat", "orig", "rcd", "rcdi"]
    assert payload == json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert members["rcdi"]["/nam"] == digest("Zoë").rstrip("=")
    assert members["rcdi"]["/jcd/1/1/3"] == "sha256-" + b64encode(hashlib.sha256(b"PNG").digest()).decode().rstrip("=")
    verdict = judge([value])
    assert told(verdict) == (Verstat.PASSED, None)
    assert verdict.rich is not None
    assert verdict.rich.nam == "Zoë"
    assert digests({"nam": "x"}).keys() == {"/nam"}
    assert CLAIMS["orig"] == members["orig"]


@pytest.mark.parametrize("held", [{}, {"jcd": CARD}, {**RCD, "jcl": "https://e.example/j"}])
def test_what_is_not_signed(held: dict[str, Any]) -> None:
    """A token that every verifier would refuse is not made."""
    with pytest.raises(MalformedValue):
        sign_rcd(signer(), ORIG, [DEST], NOW, held)
