"""Chains and trust (RFC 5280 §6, RFC 8226); what is refused is in ``test_faults``."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.errors import CertificateError
from sipguard.stir.certificate import Credential, load_anchors, load_chain, validate
from sipguard.stir.passport import Fault
from sipguard.stir.tn_auth_list import NumberRange, TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import DAY, Issued, Shape, StiCa, pem
from tests.stir.kit import DEST, NOW, ORIG, anchors, authority, leaf

AUTHORITY = Shape(entries=None, authority=True, digital_signature=False, cert_sign=True)


def credential(issued: Issued, octets: bytes | None = None) -> Credential:
    """What a chain gives under the trusted authority."""
    return validate(load_chain(issued.chain_pem if octets is None else octets), anchors(), NOW)


def test_a_good_chain_gives_a_credential() -> None:
    """Provider code, key, and the span in which every certificate is valid."""
    good = credential(leaf())
    assert good.spc == "1234"
    assert good.public_key == leaf().key.public_key()
    assert (good.not_before, good.not_after) == (NOW - 3600, NOW + 30 * DAY)
    assert good.covers(ORIG)


@pytest.mark.clause("CRT-24")
def test_a_chain_comes_in_many_wrappings() -> None:
    """Line ends, text around, a byte order mark, the root in the bundle, intermediates in any order."""
    text = leaf().chain_pem
    root = authority().root.certificate_pem
    for octets in (
        text.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + text,
        b"subject=CN = SHAKEN 1234\n" + text + b"\ntrailing text\n",
        text + root,
        leaf().certificate_pem + root + authority().intermediate.certificate_pem,
        text + text,
    ):
        assert credential(leaf(), octets).spc == "1234"


@pytest.mark.clause("CRT-24", "PIT-14")
def test_a_single_der_certificate_is_read() -> None:
    """DER holds one certificate, and nothing after it."""
    direct = authority().issue_below(authority().root)
    der = direct.certificate.public_bytes(Encoding.DER)
    assert credential(direct, der).spc == "1234"
    with pytest.raises(Fault):
        load_chain(der + b"\0")


@pytest.mark.clause("CRT-20")
def test_an_intermediate_can_be_the_anchor() -> None:
    """A repository that serves the signing certificate alone works where its issuer is trusted itself."""
    trusted = load_anchors(authority().intermediate.certificate_pem)
    assert validate(load_chain(leaf().certificate_pem), trusted, NOW).spc == "1234"


@pytest.mark.clause("CRT-22", "RFC 8226 4")
@pytest.mark.parametrize("kind", ["P-384", "P-521", "RSA"])
@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda value: value.name)
def test_authorities_have_other_kinds_of_keys(kind: str, digest: hashes.SHA256) -> None:
    """Issuers sign with P-256, P-384, P-521 or RSA keys, and SHA-256 to SHA-512."""
    key = {
        "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "RSA": lambda: rsa.generate_private_key(65537, 2048),
    }[kind]()
    other = StiCa.create(NOW, intermediate_key=key)
    issued = other.issue(Shape(digest=digest))
    assert validate(load_chain(issued.chain_pem), load_anchors(other.anchors_pem), NOW).spc == "1234"


@pytest.mark.clause("CRT-22")
def test_a_short_rsa_key_is_not_trusted() -> None:
    """1024 bits vouch for nothing."""
    other = StiCa.create(NOW, intermediate_key=rsa.generate_private_key(65537, 1024))
    with pytest.raises(Fault, match="unsupported kind"):
        validate(load_chain(other.issue().chain_pem), load_anchors(other.anchors_pem), NOW)


@pytest.mark.clause("CRT-21")
def test_the_span_is_that_of_the_shortest_certificate() -> None:
    """An intermediate that ends earlier ends the credential."""
    end = UnixTime(NOW + 5 * DAY)
    short = authority().issue_below(
        authority().root, Shape(entries=None, authority=True, cert_sign=True, not_after=end), common_name="TEST short"
    )
    assert credential(authority().issue_below(short)).not_after == end


@pytest.mark.clause("CRT-21")
def test_a_renewed_anchor_of_the_same_name_and_key_is_found() -> None:
    """Of two anchors that both fit the one valid now is taken."""
    old = StiCa.create(UnixTime(NOW - 11 * 365 * DAY), name="RENEWED")
    new = StiCa.create(NOW, name="RENEWED", root_key=old.root.key)
    both = load_anchors(old.anchors_pem + new.anchors_pem)
    assert len(both) == 1
    assert validate(load_chain(new.issue().chain_pem), both, NOW).valid_at(NOW)


@pytest.mark.clause("CRT-21", "VS-37")
def test_many_certificates_of_one_name_do_not_cost_seconds() -> None:
    """A bundle made to have many paths is given up after a bounded number of signature checks."""
    key = authority().intermediate.key
    twins = [
        authority().issue_below(authority().intermediate, AUTHORITY, key=key, common_name="TEST STI intermediate CA")
        for _ in range(9)
    ]
    stranger = StiCa.create(NOW)
    octets = leaf().certificate_pem + pem(*(twin.certificate for twin in twins))
    with pytest.raises(Fault):
        validate(load_chain(octets), load_anchors(stranger.anchors_pem), NOW)
    with pytest.raises(Fault, match="too long"):
        load_chain(octets + octets)


@pytest.mark.clause("CRT-03", "CRT-15")
def test_numbers_that_are_listed_limit_the_holder() -> None:
    """A certificate with numbers covers those; one with provider codes only covers what its provider has."""
    one = credential(authority().issue(Shape(entries=TnAuthList((), (), (ORIG,)))))
    assert one.covers(ORIG)
    assert not one.covers(DEST)
    assert one.spc is None
    both = credential(authority().issue(Shape(entries=TnAuthList(("1234",), (NumberRange(ORIG, 2),)))))
    assert both.covers(ORIG)
    assert both.covers(DEST)
    assert not both.covers(type(ORIG)("12155551214"))
    assert credential(authority().issue(Shape(entries=TnAuthList(("709J", "8888"))))).spc == "709J"


@pytest.mark.clause("CRT-16")
@pytest.mark.parametrize("policy", [None, "2.16.840.1.114569.1.1.1", "2.16.840.1.114569.1.1.4"])
def test_every_version_of_the_shaken_policy_is_accepted(policy: str | None) -> None:
    """All versions seen in production; a certificate that names none is let through."""
    assert credential(authority().issue(Shape(policy=policy))).spc == "1234"


def test_optional_extensions_may_be_absent() -> None:
    """Without basic constraints a certificate is an end entity; without key usage its key may sign (RFC 5280 §4.2)."""
    assert credential(authority().issue(Shape(basic_constraints=False, key_usage=False))).spc == "1234"


@pytest.mark.clause("CRT-14")
def test_the_common_name_is_not_looked_at() -> None:
    """A fifth of the production certificates are not called SHAKEN and their code: no reason to refuse a call."""
    assert credential(authority().issue(common_name="somebody")).spc == "1234"


@pytest.mark.clause("CRT-20")
@pytest.mark.parametrize(
    "octets", [b"", b"no certificates here", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"]
)
def test_anchors_must_be_certificates(octets: bytes) -> None:
    """An unusable anchor file is one clear error at start-up."""
    with pytest.raises(CertificateError, match="trust anchors"):
        load_anchors(octets)


@pytest.mark.clause("CRT-20")
def test_an_anchor_must_be_an_authority() -> None:
    """A signing certificate among the anchors is a mistake."""
    with pytest.raises(CertificateError, match="not an authority"):
        load_anchors(leaf().certificate_pem)


def timestamp() -> bytes:
    """A signed certificate timestamp list with one entry (RFC 6962 §3.3), which nobody verifies."""
    entry = b"\0" + b"L" * 32 + b"\0\0\1\x90\0\0\0\0" + b"\0\0" + b"\4\3" + b"\0\2" + b"\x30\0"
    listed = len(entry).to_bytes(2, "big") + entry
    octets = len(listed).to_bytes(2, "big") + listed
    return bytes((4, len(octets))) + octets


@pytest.mark.clause("CRT-27")
def test_certificate_transparency_is_ignored() -> None:
    """Timestamps, and extensions nobody knows, change nothing while they are not critical; a precertificate is none."""
    shape = Shape(extensions=(("1.3.6.1.4.1.11129.2.4.2", timestamp()), ("1.2.3.4.5", b"\x05\x00")))
    assert credential(authority().issue(shape)).spc == "1234"
    poison = authority().issue(Shape(critical_extension="1.3.6.1.4.1.11129.2.4.3"))
    with pytest.raises(Fault, match=r"cannot be read|critical extension"):
        credential(poison)


@pytest.mark.clause("CRT-21", "RFC 5280 6.1")
def test_a_name_alone_is_no_chain() -> None:
    """An authority with the right name and another key, and one with the right key and another name."""
    impostor = StiCa.create(NOW)
    with pytest.raises(Fault, match="no path"):
        credential(impostor.issue())
    renamed = StiCa.create(NOW, name="RENAMED", intermediate_key=authority().intermediate.key)
    with pytest.raises(Fault, match="no path"):
        credential(leaf(), leaf().certificate_pem + renamed.intermediate.certificate_pem)


@pytest.mark.clause("CRT-21")
def test_every_certificate_of_the_path_has_its_time() -> None:
    """A path through an expired intermediate is expired; another one with the same name and key is taken instead."""
    shape = Shape(entries=None, authority=True, cert_sign=True, not_after=UnixTime(NOW - 1))
    old = authority().issue_below(authority().root, shape, common_name="TEST rolling")
    expired = authority().issue_below(old)
    assert not credential(expired).valid_at(NOW)
    new = authority().issue_below(authority().root, AUTHORITY, key=old.key, common_name="TEST rolling")  # type: ignore[arg-type]
    both = expired.chain_pem + new.certificate_pem
    assert credential(expired, both).valid_at(NOW)
