"""JWT claim constraints, plain and enhanced (RFC 8226 §8, RFC 9118)."""

from typing import Any

import pytest

from sipguard.errors import MalformedValue
from sipguard.stir import claim_constraints
from sipguard.stir.certificate import Credential, load_chain, read_claim_constraints, validate
from sipguard.stir.claim_constraints import ENHANCED_OID, OID, ClaimConstraints, decode, encode
from sipguard.stir.fault import Fault
from sipguard.stir.verdict import Reason
from sipguard.testing.sti_ca import Shape
from tests.stir.kit import CLAIMS, HEADER, NOW, anchors, authority, changed, field, filled_cache, judge, sign

CONFIDENCE = ClaimConstraints(("confidence",), (("confidence", frozenset(("high", "medium"))),), ("priority",))
PLAIN = CONFIDENCE._replace(must_exclude=())


def credential(**shape: Any) -> Credential:
    """What a certificate of this shape gives."""
    return validate(load_chain(authority().issue(Shape(**shape)).chain_pem), anchors(), NOW)


def verdict(constraints: ClaimConstraints, **claims: Any) -> tuple[Reason | None, str]:
    """What becomes of a good token under constraints."""
    issued = authority().issue(Shape(constraints=constraints))
    token = sign(HEADER, changed(CLAIMS, claims), issued.key)
    best = judge([field(token)], store=filled_cache(issued.chain_pem)).best
    return best.reason, best.detail


@pytest.mark.clause("CRT-05", "CRT-06")
@pytest.mark.parametrize("constraints", [CONFIDENCE, PLAIN, ClaimConstraints((), (), ("a", "b"))])
def test_constraints_are_read_as_they_were_written(constraints: ClaimConstraints) -> None:
    """Either kind, with any of its parts; the credential carries them for signers and verifiers."""
    assert decode(encode(constraints), enhanced=True) == constraints
    assert credential(constraints=constraints).constraints == constraints


@pytest.mark.clause("CRT-05", "RFC 8226 8")
def test_a_certificate_without_constraints_permits_everything() -> None:
    """The extension is optional."""
    assert credential().constraints is None


@pytest.mark.clause("CRT-05", "CRT-06", "RFC 9118 4")
@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"confidence": "high"}, ""),
        ({"confidence": "medium", "other": 1}, ""),
        ({}, 'demands the claim "confidence"'),
        ({"confidence": "low"}, 'this value of the claim "confidence"'),
        ({"confidence": ["high"]}, 'this value of the claim "confidence"'),
        ({"confidence": "high", "priority": "x"}, 'forbids the claim "priority"'),
        ({"confidence": "high", "priority": None}, 'forbids the claim "priority"'),
    ],
)
def test_verifiers_hold_signers_to_their_constraints(claims: dict[str, Any], detail: str) -> None:
    """The example of RFC 9118: confidence must be there and be high or medium, priority must not be there."""
    reason, said = verdict(CONFIDENCE, **claims)
    assert reason is (Reason.CLAIMS_NOT_PERMITTED if detail else None)
    assert detail in said


@pytest.mark.clause("CRT-05")
@pytest.mark.parametrize(
    ("value", "listed", "good"),
    [
        ("A", "A", True),
        ("B", "A", False),
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}', True),
        ({"b": 1, "a": [True, None]}, '{"b":1,"a":[true,null]}', False),
        (7, "7", True),
        (True, "true", True),
        ("true", "true", True),
        ("Zoë", "Zoë", True),
    ],
)
def test_values_that_are_not_strings_are_compared_as_canonical_json(value: Any, listed: str, good: bool) -> None:
    """A permitted value is a string; a number, an object or a list is compared in its one canonical form."""
    constraints = ClaimConstraints((), (("claim", frozenset((listed,))),))
    assert (constraints.violation({"claim": value}) is None) is good


@pytest.mark.clause("CRT-05", "RFC 8226 8")
def test_base_claims_can_be_limited_too() -> None:
    """attest=B only, and one calling number only, are constraints like others; being named costs nothing."""
    only_b = ClaimConstraints(("iat", "orig", "dest"), (("attest", frozenset(("B", "C"))),))
    assert verdict(only_b)[0] is Reason.CLAIMS_NOT_PERMITTED
    assert verdict(only_b, attest="B")[0] is None
    caller = ClaimConstraints((), (("orig", frozenset(('{"tn":"12155551212"}',))),))
    assert verdict(caller)[0] is None


@pytest.mark.clause("CRT-06", "RFC 9118 3")
@pytest.mark.parametrize("base", ["iat", "orig", "dest"])
def test_constraints_that_forbid_a_base_claim_count_as_absent(base: str) -> None:
    """The whole extension is ignored, also what it demands."""
    constraints = CONFIDENCE._replace(must_exclude=("priority", base))
    assert decode(encode(constraints), enhanced=True) is None
    assert verdict(constraints) == (None, "")


@pytest.mark.clause("CRT-07", "RFC 9118 6")
def test_both_kinds_in_one_certificate_are_refused() -> None:
    """Nobody can tell which of them counts."""
    issued = authority().issue(Shape(constraints=CONFIDENCE, extensions=((OID, encode(PLAIN)),)))
    token = sign(HEADER, changed(CLAIMS, {"confidence": "high"}), issued.key)
    result = judge([field(token)], store=filled_cache(issued.chain_pem))
    assert (result.code, result.reason) == (437, Reason.CERTIFICATE_MALFORMED)
    assert "both kinds" in result.best.detail


@pytest.mark.clause("CRT-05", "CRT-06")
@pytest.mark.parametrize(
    "der",
    [
        "",
        "3000",
        "0500",
        "30040500",
        encode(PLAIN).hex() + "00",
        encode(CONFIDENCE).hex()[:-2],
        "3004a0023000",
        "3007a0053003160100"[:-2] + "80",
        "3006a0043002 1600".replace(" ", ""),
        "3008a0063004 0c026161".replace(" ", ""),
        "300aa1083006 3004 16016130".replace(" ", "") + "00",
        "300ea10c300a 3008 160161 3003 1601 78".replace(" ", ""),
        "300ea10c300a 3008 160161 3003 0c01 ff".replace(" ", ""),
        "3010a206300416026161a006300416026161",
        "3010a006300416026161a006300416026161",
        "3008a3063004 16026161".replace(" ", ""),
    ],
)
def test_malformed_constraints_are_refused(der: str) -> None:
    """A certificate whose limits cannot be read gives no credential."""
    octets = bytes.fromhex(der)
    with pytest.raises(MalformedValue):
        decode(octets, enhanced=True)
    issued = authority().issue(Shape(extensions=((ENHANCED_OID, octets),)))
    with pytest.raises(Fault) as raised:
        read_claim_constraints(issued.certificate)
    assert raised.value.reason is Reason.CERTIFICATE_MALFORMED


@pytest.mark.clause("CRT-05")
def test_the_plain_kind_forbids_nothing() -> None:
    """mustExclude is a part of the enhanced kind only."""
    with pytest.raises(MalformedValue, match="unknown part"):
        claim_constraints.decode(encode(CONFIDENCE), enhanced=False)
