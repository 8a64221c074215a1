"""Revocation lists, direct and indirect (RFC 5280 §5, ATIS-1000080)."""

from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.stir.certificate import Credential, load_chain, validate
from sipguard.stir.certificate_cache import CertificateCache, CertificateFailure
from sipguard.stir.fault import Fault
from sipguard.stir.revocation import RevocationList, RevocationRegister, read_list
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason, Verstat
from sipguard.testing.policy_administrator import Revoked, Scope, issue_list, make_administrator
from sipguard.testing.sti_ca import DAY, Issued, Shape, make_name
from tests.stir.kit import CLAIMS, HEADER, HOUR, NOW, URL, anchors, authority, field, judge, sign

LIST_URL = "https://policy-administrator.example/crl"
OTHER = make_name("TEST another STI CA")


@cache
def administrator() -> Issued:
    """Who signs the indirect list."""
    return make_administrator(NOW)


def leaf(**shape: Any) -> Issued:
    """A signer's certificate that names the administrator's list."""
    return authority().issue(Shape(crl_url=LIST_URL, crl_issuer=administrator().certificate.subject, **shape))


def credential(issued: Issued) -> Credential:
    """What its chain gives."""
    return validate(load_chain(issued.chain_pem), anchors(), NOW)


def indirect(*revoked: Revoked, now: UnixTime = NOW, lifetime: int = DAY) -> RevocationList:
    """The administrator's list, read."""
    octets = issue_list(administrator(), revoked, now, lifetime=lifetime, scope=Scope(indirect=True))
    return read_list(octets, (administrator().certificate,), (), now)


def register(*, hard: bool = False) -> RevocationRegister:
    """A register that knows the administrator."""
    return RevocationRegister((administrator().certificate,), hard=hard)


def reason(
    issued: Issued, *lists: RevocationList, hard: bool = False, now: UnixTime = NOW, source: str = LIST_URL
) -> Reason | None:
    """What a register with these lists says about a certificate."""
    known = register(hard=hard)
    for crl in lists:
        known.put(source, crl, NOW)
    return known.judge(credential(issued).links, now)[0]


def entry(issued: Issued, issuer: x509.Name | None = None) -> Revoked:
    """The entry that revokes a certificate."""
    return Revoked(issued.certificate.serial_number, issuer)


@pytest.mark.clause("CRT-17", "CRT-18", "RFC 5280 5.3.3")
def test_an_indirect_list_revokes_by_issuer_and_number() -> None:
    """An entry with the certificate's issuer and number revokes it; the same number of another issuer does not."""
    issued = leaf()
    issuer = issued.certificate.issuer
    assert reason(issued) is None
    assert reason(issued, indirect()) is None
    assert reason(issued, indirect(entry(issued, issuer))) is Reason.CERTIFICATE_REVOKED
    assert reason(issued, indirect(entry(issued, OTHER))) is None
    assert reason(issued, indirect(Revoked(4711, issuer))) is None
    assert reason(issued, indirect(entry(issued))) is None  # an entry of the administrator's own


@pytest.mark.clause("CRT-18", "RFC 5280 5.3.3")
def test_entries_inherit_the_issuer_of_the_entry_before() -> None:
    """The name is said once and holds until another is said."""
    issued = leaf()
    issuer = issued.certificate.issuer
    revoked = indirect(Revoked(1, OTHER), Revoked(2, issuer), Revoked(3), entry(issued))
    assert reason(issued, revoked) is Reason.CERTIFICATE_REVOKED
    assert reason(issued, indirect(Revoked(1, issuer), Revoked(2, OTHER), Revoked(3), entry(issued))) is None


@pytest.mark.clause("CRT-18")
def test_every_certificate_of_the_path_is_looked_for() -> None:
    """A revoked intermediate takes everything below it along."""
    middle = authority().intermediate.certificate
    revoked = indirect(Revoked(middle.serial_number, middle.issuer))
    assert reason(leaf(), revoked) is Reason.CERTIFICATE_REVOKED


@pytest.mark.clause("CRT-18")
def test_an_authority_speaks_for_its_own_certificates_only() -> None:
    """Its own list counts without configuration; entries under other names in it do not."""
    issued = authority().issue(Shape(crl_url=LIST_URL))
    issuers = (authority().intermediate.certificate,)
    own = read_list(issue_list(authority().intermediate, [entry(issued)], NOW), (), issuers, NOW)
    assert reason(issued, own) is Reason.CERTIFICATE_REVOKED
    root = (authority().root.certificate,)
    octets = issue_list(authority().root, [entry(issued, issued.certificate.issuer)], NOW, scope=Scope(indirect=True))
    assert reason(issued, read_list(octets, (), root, NOW)) is None


@pytest.mark.clause("CRT-18")
def test_a_list_is_signed_by_somebody_who_may() -> None:
    """Neither an unknown signer, nor one with the right name and another key, nor one that may not sign lists."""
    entries = [entry(leaf())]
    stranger = make_administrator(NOW)
    unable = make_administrator(
        NOW, "TEST unable", Shape(entries=None, authority=True, digital_signature=True, policy=None)
    )
    expired = make_administrator(
        NOW, "TEST expired", Shape(entries=None, authority=True, cert_sign=True, not_after=UnixTime(NOW - 1))
    )
    for signer, trusted in (
        (stranger, administrator()),
        (make_administrator(NOW, "TEST nobody"), administrator()),
        (unable, unable),
        (expired, expired),
    ):
        with pytest.raises(Fault, match="not signed by anybody who may"):
            read_list(issue_list(signer, entries, NOW), (trusted.certificate,), (), NOW)


@pytest.mark.clause("CRT-18", "RFC 5280 5.2")
def test_a_list_that_is_not_understood_is_not_used() -> None:
    """Critical extensions we don't know, of the list or of an entry; partial and delta lists; other octets."""
    trusted = (administrator().certificate,)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    for octets in (
        issue_list(administrator(), [], NOW, extension=unknown),
        issue_list(administrator(), [], NOW, extension=x509.DeltaCRLIndicator(1)),
        issue_list(administrator(), [Revoked(1, None, unknown)], NOW),
        issue_list(administrator(), [], NOW, scope=Scope(some_reasons=True)),
        b"",
        b"<html>",
        issue_list(administrator(), [], NOW)[:-1],
        leaf().certificate_pem,
        b"\0" * (8 * 1024 * 1024 + 1),
    ):
        with pytest.raises(Fault) as raised:
            read_list(octets, trusted, (), NOW)
        assert raised.value.reason is Reason.CERTIFICATE_STATUS


def test_a_list_may_be_pem() -> None:
    """DER is what servers send; a file may be either."""
    crl = x509.load_der_x509_crl(issue_list(administrator(), [Revoked(7)], NOW))
    read = read_list(crl.public_bytes(Encoding.PEM), (administrator().certificate,), (), NOW)
    assert read.entries == {(administrator().certificate.subject, 7)}


@pytest.mark.clause("CRT-19")
def test_a_stale_list_still_revokes() -> None:
    """What was revoked stays so; what was not counts softly, and does not where a current list is demanded."""
    bad, good = leaf(), leaf()
    old = indirect(entry(bad, bad.certificate.issuer), lifetime=HOUR)
    later = UnixTime(NOW + HOUR + 1)
    assert reason(bad, old, now=later) is Reason.CERTIFICATE_REVOKED
    assert reason(good, old, now=later) is None
    assert reason(good, old, now=UnixTime(NOW + HOUR), hard=True) is None
    assert reason(good, old, now=later, hard=True) is Reason.CERTIFICATE_STATUS
    assert reason(bad, old, now=later, hard=True) is Reason.CERTIFICATE_REVOKED


@pytest.mark.clause("CRT-17", "CRT-19")
def test_a_current_list_must_speak_for_every_certificate_when_demanded() -> None:
    """No list, a list of another source or of another signer, a list of other certificates: the status is unknown."""
    full = authority().issue_below(
        authority().root,
        Shape(crl_url=LIST_URL, crl_issuer=administrator().certificate.subject),
    )
    assert reason(full, indirect(), hard=True) is None
    assert reason(full, hard=True) is Reason.CERTIFICATE_STATUS
    assert reason(full, indirect(), hard=True, source="https://elsewhere.example/") is Reason.CERTIFICATE_STATUS
    assert reason(leaf(), indirect(), hard=True) is None  # its intermediate names no list: this one speaks for it too
    own = read_list(issue_list(authority().root, [], NOW), (), (authority().root.certificate,), NOW)
    bare = authority().issue_below(authority().root, Shape(crl_url=LIST_URL))
    assert reason(bare, own, hard=True) is None
    assert reason(authority().issue(Shape(crl_url=LIST_URL)), own, hard=True) is Reason.CERTIFICATE_STATUS
    for scope, expected in (
        (Scope(indirect=True, signers_only=True), None),
        (Scope(indirect=True, authorities_only=True), Reason.CERTIFICATE_STATUS),
    ):
        octets = issue_list(administrator(), [], NOW, scope=scope)
        crl = read_list(octets, (administrator().certificate,), (), NOW)
        assert reason(full, crl, hard=True) is expected
    other = authority().issue_below(authority().root, Shape(crl_url=LIST_URL, crl_issuer=OTHER))
    assert reason(other, indirect(), hard=True) is Reason.CERTIFICATE_STATUS


@pytest.mark.clause("CRT-17")
def test_one_configured_list_replaces_those_that_certificates_name() -> None:
    """Then nothing a certificate names is asked for, and the one list speaks for all."""
    configured = RevocationRegister((administrator().certificate,), (), "pa.crl", hard=True)
    links = credential(leaf()).links
    assert configured.sources(links) == []
    assert register().sources(links) == [(LIST_URL, authority().intermediate.certificate)]
    assert configured.judge(links, NOW)[0] is Reason.CERTIFICATE_STATUS
    configured.put("pa.crl", indirect(), NOW)
    assert configured.judge(links, NOW)[0] is None
    direct = RevocationRegister((), (authority().intermediate.certificate,), "ca.crl")
    bad = leaf()
    direct.put("ca.crl", direct.read(issue_list(authority().intermediate, [entry(bad)], NOW), (), NOW), NOW)
    assert direct.judge(credential(bad).links, NOW)[0] is Reason.CERTIFICATE_REVOKED


@pytest.mark.clause("CRT-19")
def test_an_older_list_replaces_nothing() -> None:
    """Somebody who repeats an old list unrevokes nothing; nor does a list from the future hold for ever."""
    known = register()
    new, old = indirect(now=NOW), indirect(now=UnixTime(NOW - HOUR))
    known.put(LIST_URL, new, NOW)
    generation = known.generation
    known.put(LIST_URL, indirect(now=NOW), NOW)
    assert known.generation == generation  # the same again is no news
    with pytest.raises(Fault, match="older"):
        known.put(LIST_URL, old, NOW)
    with pytest.raises(Fault, match="future"):
        known.put(LIST_URL, indirect(now=UnixTime(NOW + HOUR)), NOW)
    assert known.find(LIST_URL) is new


def test_the_number_of_lists_is_bounded() -> None:
    """Certificates name their lists: the one that was taken first goes."""
    known = register()
    for number in range(257):
        known.put(f"https://{number}.example/", indirect(), NOW)
    assert known.find("https://0.example/") is None
    assert known.find("https://256.example/") is not None


@pytest.mark.clause("CRT-18", "CRT-19", "VS-22")
def test_a_revocation_reaches_calls_with_a_warm_cache() -> None:
    """The next call after the list came is refused with 437, and passes again when the entry is gone."""
    known = register()
    cache_ = CertificateCache(10, known)
    issued = leaf()
    value = field(sign(HEADER, CLAIMS, issued.key))
    assert isinstance(cache_.store(URL, issued.chain_pem, UnixTime(NOW + DAY), NOW, anchors()), Credential)
    assert judge([value], store=cache_).verstat is Verstat.PASSED
    known.put(LIST_URL, indirect(entry(issued, issued.certificate.issuer), now=UnixTime(NOW - 2)), NOW)
    refused = judge([value], store=cache_)
    assert (refused.verstat, refused.reason, refused.code) == (Verstat.FAILED, Reason.CERTIFICATE_REVOKED, 437)
    known.put(LIST_URL, indirect(now=UnixTime(NOW - 1)), NOW)
    assert judge([value], store=cache_).verstat is Verstat.PASSED
    known.put(LIST_URL, indirect(entry(issued, issued.certificate.issuer)), NOW)
    stored = cache_.store(URL, issued.chain_pem, UnixTime(NOW + DAY), NOW, anchors())
    assert stored == CertificateFailure(Reason.CERTIFICATE_REVOKED, "a certificate of the path was revoked")


@pytest.mark.clause("CRT-19")
def test_a_demanded_list_that_runs_out_reaches_calls_with_a_warm_cache() -> None:
    """No event says that time has passed: the judgement itself ends with the list."""
    known = RevocationRegister((administrator().certificate,), (), "pa.crl", hard=True)
    known.put("pa.crl", indirect(lifetime=HOUR), NOW)
    cache_ = CertificateCache(10, known)
    cache_.store(URL, leaf().chain_pem, UnixTime(NOW + DAY), NOW, anchors())
    assert isinstance(cache_.get(URL, UnixTime(NOW + HOUR)), Credential)
    late = cache_.get(URL, UnixTime(NOW + HOUR + 1))
    assert isinstance(late, CertificateFailure)
    assert late.reason is Reason.CERTIFICATE_STATUS


@pytest.mark.clause("CRT-17", "PIT-14")
def test_distribution_points_are_read_as_they_are() -> None:
    """With and without cRLIssuer, as production has both; none at all is no reason to refuse."""
    issuer = administrator().certificate.subject
    named = credential(leaf()).links[0].point
    assert named is not None
    assert (named.url, named.crl_issuer) == (LIST_URL, issuer)
    plain = credential(authority().issue(Shape(crl_url=LIST_URL))).links[0].point
    assert plain is not None
    assert plain.crl_issuer is None
    assert [link.point for link in credential(authority().issue()).links] == [None, None]
