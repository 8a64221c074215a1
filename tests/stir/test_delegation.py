"""Delegate certificates (RFC 9060), and TN Authorization Lists by reference (RFC 8226 §10.1)."""

import pytest

from sipguard.stir.certificate import Credential, TrustAnchors, load_anchors, load_chain, validate
from sipguard.stir.certification_path import check_delegation
from sipguard.stir.fault import Fault
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import NumberRange, TnAuthList
from sipguard.stir.verdict import Reason
from sipguard.testing.sti_ca import Issued, Shape, StiCa, pem
from tests.stir.kit import NOW

TOP = StiCa.create(NOW, intermediate=Shape(entries=None, authority=True, digital_signature=False, cert_sign=True))
ANCHORS = load_anchors(TOP.anchors_pem)
START = TN("12155550000")
THOUSAND = TnAuthList((), (NumberRange(START, 1000),))
HUNDRED = TnAuthList((), (NumberRange(TN("12155550100"), 100),))


def parent(entries: TnAuthList | None, above: Issued | None = None, name: str = "SHAKEN parent") -> Issued:
    """A certificate that may sign others, limited to numbers."""
    shape = Shape(entries=entries, authority=True, digital_signature=False, cert_sign=True)
    return TOP.issue_below(above or TOP.intermediate, shape, common_name=name)


def delegate(entries: TnAuthList | None, above: Issued) -> Issued:
    """A signer's certificate below it."""
    return TOP.issue_below(above, Shape(entries=entries), common_name="SHAKEN delegate")


def outcome(octets: bytes, anchors: TrustAnchors = ANCHORS) -> Credential | Fault:
    """The credential of a chain, or why there is none."""
    try:
        return validate(load_chain(octets), anchors, NOW)
    except Fault as fault:
        return fault


def reason(octets: bytes, anchors: TrustAnchors = ANCHORS) -> Reason | None:
    """Why there is no credential; None when there is."""
    result = outcome(octets, anchors)
    return result.reason if isinstance(result, Fault) else None


@pytest.mark.clause("CRT-08", "RFC 9060 4")
@pytest.mark.parametrize(
    ("scope", "entries", "within"),
    [
        (THOUSAND, HUNDRED, True),
        (THOUSAND, THOUSAND, True),
        (THOUSAND, TnAuthList((), (), (TN("12155550999"),)), True),
        (THOUSAND, TnAuthList((), (), (TN("12155551000"),)), False),
        (THOUSAND, TnAuthList((), (), (TN("2155550999"),)), False),
        (THOUSAND, TnAuthList((), (NumberRange(TN("12155550900"), 101),)), False),
        (THOUSAND, TnAuthList(("1234",), HUNDRED.ranges), False),
        (HUNDRED, THOUSAND, False),
        (TnAuthList(("1234",)), TnAuthList(("1234",)), True),
        (TnAuthList(("1234", "709J")), TnAuthList(("709J",)), True),
        (TnAuthList(("1234",)), TnAuthList(("709J",)), False),
        (TnAuthList(("1234",)), HUNDRED, True),  # a provider may delegate numbers: who has them only it can tell
        (TnAuthList(("1234",), HUNDRED.ranges), THOUSAND, True),
        (TnAuthList((), (NumberRange(START, 100), NumberRange(TN("12155550100"), 900))), THOUSAND, True),
        (TnAuthList((), (NumberRange(START, 100), NumberRange(TN("12155550101"), 899))), THOUSAND, False),
        (TnAuthList((), (), (START, TN("12155550001"))), TnAuthList((), (NumberRange(START, 2),)), True),
        (TnAuthList((), (), (TN("911*"),)), TnAuthList((), (), (TN("911*"),)), True),
        (TnAuthList((), (), (TN("911*"),)), TnAuthList((), (), (TN("912*"),)), False),
        (TnAuthList((), (), (TN("0"),)), TnAuthList((), (), (TN("0*"),)), False),
    ],
)
def test_a_delegate_reaches_no_further_than_its_parent(scope: TnAuthList, entries: TnAuthList, within: bool) -> None:
    """Every code, number and range of the delegate lies within what the parent lists."""
    assert scope.encompasses(entries) is within
    found = reason(delegate(entries, parent(scope)).chain_pem)
    assert found is (None if within else Reason.CERTIFICATE_SCOPE)


@pytest.mark.clause("CRT-08", "RFC 9060 4")
def test_every_level_is_held_to_the_one_above() -> None:
    """Grandparent, parent, delegate: a wider list anywhere breaks the path, also when the next narrows it again."""
    good = delegate(HUNDRED, parent(HUNDRED, parent(THOUSAND, name="SHAKEN grandparent")))
    assert reason(good.chain_pem) is None
    wide = delegate(HUNDRED, parent(THOUSAND, parent(HUNDRED, name="SHAKEN grandparent")))
    assert reason(wide.chain_pem) is Reason.CERTIFICATE_SCOPE
    escaped = delegate(THOUSAND, parent(None, parent(HUNDRED, name="SHAKEN grandparent")))
    assert reason(escaped.chain_pem) is Reason.CERTIFICATE_SCOPE


@pytest.mark.clause("CRT-08")
def test_an_anchor_can_be_a_parent() -> None:
    """The limits of a trusted certificate hold as well."""
    top = parent(HUNDRED)
    anchors = load_anchors(top.certificate_pem)
    assert reason(delegate(HUNDRED, top).certificate_pem, anchors) is None
    assert reason(delegate(THOUSAND, top).certificate_pem, anchors) is Reason.CERTIFICATE_SCOPE


@pytest.mark.clause("CRT-08", "CRT-03")
def test_a_delegate_covers_its_own_numbers() -> None:
    """Not those of its parent."""
    credential = outcome(delegate(HUNDRED, parent(THOUSAND)).chain_pem)
    assert isinstance(credential, Credential)
    assert credential.covers(TN("12155550150"))
    assert not credential.covers(TN("12155550250"))


@pytest.mark.clause("CRT-09", "RFC 9060 7")
def test_the_path_of_a_delegate_is_served_in_order() -> None:
    """Signer first, then its parent and so on; the root may follow. Another order or a gap is refused."""
    above = parent(THOUSAND)
    below = parent(HUNDRED, above, name="SHAKEN lower parent")
    leaf = delegate(HUNDRED, below)
    first, second, third, fourth = leaf.certificate, below.certificate, above.certificate, TOP.intermediate.certificate
    root = TOP.root.certificate
    assert reason(pem(first, second, third, fourth)) is None
    assert reason(pem(first, second, third, fourth, root)) is None
    for wrong in (
        (first, third, second, fourth),
        (first, second, fourth, third),
        (first, fourth, second, third),
        (first, root, second, third, fourth),
        (second, first, third, fourth),
        (first, second, third),
        (first, third, fourth),
    ):
        assert reason(pem(*wrong)) is Reason.CERTIFICATE_UNTRUSTED


@pytest.mark.clause("CRT-09", "CRT-13", "RFC 9060 7")
def test_the_key_identifiers_of_a_delegate_must_match() -> None:
    """A delegate names its parent by key; elsewhere a certificate without identifiers is let through."""
    above = parent(THOUSAND)
    stranger = Shape(entries=HUNDRED, authority_key_identifier=b"x" * 20)
    assert reason(TOP.issue_below(above, stranger).chain_pem) is Reason.CERTIFICATE_UNTRUSTED
    nameless = Shape(entries=HUNDRED, key_identifiers=False)
    assert reason(TOP.issue_below(above, nameless).chain_pem) is Reason.CERTIFICATE_UNTRUSTED
    assert reason(TOP.issue(Shape(key_identifiers=False)).chain_pem) is None


@pytest.mark.clause("CRT-10", "RFC 9060 5")
def test_a_signer_can_check_its_own_delegation() -> None:
    """Without anchors: only that the list is in order and nobody reaches further than the one above."""
    above = parent(THOUSAND)
    check_delegation(load_chain(delegate(HUNDRED, above).chain_pem))
    check_delegation(load_chain(TOP.issue().chain_pem))
    with pytest.raises(Fault, match="reaches further"):
        check_delegation(load_chain(delegate(TnAuthList(("1234",)), above).chain_pem))


@pytest.mark.clause("CRT-12", "CRT-21")
def test_a_delegate_cannot_issue() -> None:
    """Only a certificate that says so signs others, and only as deep as every authority above allows."""
    leaf = delegate(HUNDRED, delegate(THOUSAND, parent(THOUSAND)))
    assert reason(leaf.chain_pem) is Reason.CERTIFICATE_UNTRUSTED
    shallow = StiCa.create(NOW)
    middle = shallow.issue_below(
        shallow.intermediate, Shape(entries=THOUSAND, authority=True, digital_signature=False, cert_sign=True)
    )
    result = outcome(shallow.issue_below(middle, Shape(entries=HUNDRED)).chain_pem, load_anchors(shallow.anchors_pem))
    assert isinstance(result, Fault)
    assert "longer than an authority allows" in result.detail


@pytest.mark.clause("CRT-04", "RFC 8226 10.1")
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("place", ["leaf", "parent"])
def test_a_list_by_reference_is_not_followed(scheme: str, place: str) -> None:
    """No fetch, and a reason of its own; one that is not https says so."""
    by_reference = Shape(entries=None, tn_list_url=f"{scheme}://lists.example/tn")
    if place == "leaf":
        issued = TOP.issue(by_reference)
    else:
        shape = Shape(
            entries=None, authority=True, digital_signature=False, cert_sign=True, tn_list_url=by_reference.tn_list_url
        )
        issued = TOP.issue_below(TOP.issue_below(TOP.intermediate, shape, common_name="SHAKEN parent"))
    result = outcome(issued.chain_pem)
    assert isinstance(result, Fault)
    assert (result.reason, result.reason.code) == (Reason.CERTIFICATE_TN_REFERENCE, 437)
    assert ("not by https" in result.detail) is (scheme == "http")


@pytest.mark.clause("CRT-04")
def test_a_list_by_value_makes_the_reference_unneeded() -> None:
    """What the certificate itself lists is what counts."""
    credential = outcome(TOP.issue(Shape(tn_list_url="https://lists.example/tn")).chain_pem)
    assert isinstance(credential, Credential)
    assert credential.spc == "1234"
