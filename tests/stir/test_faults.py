"""The fault table of the verification service: what is wrong, which reason it gives, which code a refusal answers with.

Every case is otherwise right: correctly signed, by a trusted certificate, for this call and now.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sipguard.stir import base64url
from sipguard.stir.tn_auth_list import NumberRange, TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason, Verstat
from sipguard.testing.sti_ca import DAY, Issued, Shape, StiCa, new_key, pem
from tests.stir.kit import (
    ABSENT,
    CLAIMS,
    DEST,
    HEADER,
    NOW,
    ORIG,
    ORIGID,
    URL,
    authority,
    changed,
    field,
    filled_cache,
    forged,
    headed,
    identity,
    judge,
    leaf,
    located,
    segment,
    sign,
)


class Case(NamedTuple):
    """One fault: a name, how to make the field values, what is expected, and what differs in the request."""

    name: str
    make: Callable[[], str | list[str]]
    reason: str
    code: int
    request: dict[str, Any] = {}  # noqa: RUF012 - never changed


def parameters(text: str) -> Callable[[], str]:
    """The good token with other parameters."""
    return lambda: field(sign(HEADER, CLAIMS), text)


def claims(**changes: Any) -> Callable[[], str]:
    """Other claims, correctly signed."""
    return lambda: forged(**changes)


def header(**changes: Any) -> Callable[[], str]:
    """Another protected header, correctly signed."""
    return lambda: headed(**changes)


def at(url: str) -> Callable[[], str]:
    """The certificate at another URL."""
    return lambda: located(url)


def raw(header_json: object, payload_json: object) -> Callable[[], str]:
    """Any octets in place of the two JSON objects, correctly signed."""
    return lambda: field(sign(header_json, payload_json))


def with_signature(change: Callable[[bytes], bytes]) -> Callable[[], str]:
    """The good token with other octets as signature."""

    def make() -> str:
        signing_input, _, signature = sign(HEADER, CLAIMS).rpartition(".")
        return field(f"{signing_input}.{base64url.encode(change(base64url.decode(signature)))}")

    return make


def respelt(change: Callable[[str], str]) -> Callable[[], str]:
    """The good token's text changed."""
    return lambda: field(change(sign(HEADER, CLAIMS)))


def tampered() -> str:
    """Attestation raised after signing."""
    first, _, last = sign(HEADER, changed(CLAIMS, {"attest": "C"})).split(".")
    return field(f"{first}.{segment(CLAIMS)}.{last}")


INFO = f";info=<{URL}>"
HEADER_JSON = '{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"' + URL + '"}'
PAYLOAD_JSON = f'{{"attest":"A","dest":{{"tn":["{DEST}"]}},"iat":{NOW},"orig":{{"tn":"{ORIG}"}},"origid":"{ORIGID}"}}'

FIELD_FAULTS = [
    Case("no Identity", list, "missing", 428),
    Case("unsupported ppt", parameters(f"{INFO};ppt=foo"), "unsupported-ppt", 428),
    Case(
        "only unsupported ppt values",
        lambda: [identity().replace("=shaken", f"={p}") for p in ("foo", "msgi")],
        "unsupported-ppt",
        428,
    ),
    Case("empty value", lambda: "", "malformed-header", 438),
    Case("no parameters", parameters(""), "malformed-header", 438),
    Case("info missing", parameters(";alg=ES256;ppt=shaken"), "info-missing", 438),
    Case("info without brackets", parameters(f";info={URL};ppt=shaken"), "malformed-header", 438),
    Case("info quoted instead of bracketed", parameters(f';info="{URL}";ppt=shaken'), "malformed-header", 438),
    Case("info bracket left open", parameters(f";info=<{URL};ppt=shaken"), "malformed-header", 438),
    Case("two info parameters", parameters(f"{INFO}{INFO};ppt=shaken"), "malformed-header", 438),
    Case("two ppt parameters", parameters(f"{INFO};ppt=div;ppt=shaken"), "malformed-header", 438),
    Case("quote left open", parameters(f'{INFO};ppt="shaken'), "malformed-header", 438),
    Case("ppt without value", parameters(f"{INFO};ppt"), "malformed-header", 438),
    Case("oversized parameters", parameters(f"{INFO};ppt=shaken;x={'y' * 5000}"), "malformed-header", 438),
    Case("two values joined by a comma", lambda: f"{identity()}, {identity()}", "malformed-header", 438),
    Case("compact form", lambda: field(".." + sign(HEADER, CLAIMS).split(".")[2]), "compact-form", 438),
    Case("alg parameter HS256", parameters(f"{INFO};alg=HS256;ppt=shaken"), "algorithm", 438),
    Case("alg parameter none", parameters(f'{INFO};alg="none";ppt=shaken'), "algorithm", 438),
    Case("ppt parameter absent", parameters(f"{INFO};alg=ES256"), "ppt-mismatch", 438),
]
TOKEN_FAULTS = [
    Case("empty token", lambda: field(""), "malformed-token", 438),
    Case("two segments", respelt(lambda t: t.rpartition(".")[0]), "malformed-token", 438),
    Case("four segments", respelt(lambda t: t + ".AAAA"), "malformed-token", 438),
    Case("space inside the token", respelt(lambda t: t[:9] + " " + t[9:]), "malformed-token", 438),
    Case("octet above ASCII in the token", respelt(lambda t: t[:9] + "é" + t[10:]), "malformed-token", 438),
    Case("oversized token", raw(HEADER_JSON, " " * 40000 + PAYLOAD_JSON), "malformed-token", 438),
    Case("padded signature", respelt(lambda t: t + "=="), "malformed-token", 438),
    Case("junk in the signature", respelt(lambda t: t[:-4] + "!" + t[-4:]), "malformed-token", 438),
    Case("unused bits set", respelt(lambda t: t[:-1] + chr(ord(t[-1]) + 1)), "malformed-token", 438),
    Case("empty signature", with_signature(lambda _: b""), "malformed-token", 438),
    Case("63 octets of signature", with_signature(lambda s: s[:63]), "malformed-token", 438),
    Case("65 octets of signature", with_signature(lambda s: s + b"\0"), "malformed-token", 438),
    Case(
        "DER signature",
        lambda: field(
            f"{segment(HEADER)}.{segment(CLAIMS)}."
            + base64url.encode(
                leaf().key.sign(f"{segment(HEADER)}.{segment(CLAIMS)}".encode(), ec.ECDSA(hashes.SHA256()))
            )  # type: ignore[call-arg,arg-type]
        ),
        "malformed-token",
        438,
    ),
    Case("alg none", header(alg="none"), "algorithm", 438),
    Case("alg HS256", header(alg="HS256"), "algorithm", 438),
    Case("alg ES384", header(alg="ES384"), "algorithm", 438),
    Case("alg es256", header(alg="es256"), "algorithm", 438),
    Case("alg absent", header(alg=ABSENT), "algorithm", 438),
    Case("alg a list", header(alg=["ES256"]), "algorithm", 438),
    Case("typ absent", header(typ=ABSENT), "malformed-token", 438),
    Case("typ JWT", header(typ="JWT"), "malformed-token", 438),
    Case("crit", header(crit=["b64"], b64=False), "malformed-token", 438),
    Case("ppt absent in the token", header(ppt=ABSENT), "ppt-mismatch", 438),
    Case("ppt of the token another one", header(ppt="div"), "ppt-mismatch", 438),
    Case("ppt a number", header(ppt=1), "malformed-token", 438),
    Case("x5u absent", header(x5u=ABSENT), "malformed-token", 438),
    Case("x5u a list", header(x5u=[URL]), "malformed-token", 438),
    Case("info another URL than x5u", header(x5u=URL + "x"), "info-mismatch", 438),
    Case("info differs in case only", header(x5u=URL.upper()), "info-mismatch", 438),
    Case("header a list", raw([HEADER], CLAIMS), "malformed-token", 438),
    Case("header with alg twice", raw(HEADER_JSON[:-1] + ',"alg":"ES256"}', PAYLOAD_JSON), "malformed-token", 438),
    Case("payload not JSON", raw(HEADER_JSON, "{"), "malformed-token", 438),
    Case("payload a list", raw(HEADER_JSON, [CLAIMS]), "malformed-token", 438),
    Case(
        "payload with orig twice", raw(HEADER_JSON, PAYLOAD_JSON[:-1] + ',"orig":{"tn":"1"}}'), "malformed-token", 438
    ),
    Case(
        "member twice deeper down", raw(HEADER_JSON, PAYLOAD_JSON[:-1] + ',"x":{"a":1,"a":2}}'), "malformed-token", 438
    ),
    Case("NaN", raw(HEADER_JSON, PAYLOAD_JSON[:-1] + ',"x":NaN}'), "malformed-token", 438),
    Case("-Infinity", raw(HEADER_JSON, PAYLOAD_JSON[:-1] + ',"x":-Infinity}'), "malformed-token", 438),
    Case("exponent beyond a double", raw(HEADER_JSON, PAYLOAD_JSON[:-1] + ',"x":1e999}'), "malformed-token", 438),
    Case("number of 5000 digits", raw(HEADER_JSON, PAYLOAD_JSON[:-1] + f',"x":{"9" * 5000}}}'), "malformed-token", 438),
    Case(
        "5000 nested lists",
        raw(HEADER_JSON, PAYLOAD_JSON[:-1] + f',"x":{"[" * 5000}{"]" * 5000}}}'),
        "malformed-token",
        438,
    ),
    Case("trailing octets", raw(HEADER_JSON, PAYLOAD_JSON + "{}"), "malformed-token", 438),
    Case("UTF-16", raw(HEADER_JSON, PAYLOAD_JSON.encode("utf-16")), "malformed-token", 438),
    Case("byte order mark", raw(HEADER_JSON, b"\xef\xbb\xbf" + PAYLOAD_JSON.encode()), "malformed-token", 438),
    Case("RFC 8443: member without value", raw(HEADER_JSON, '{"dest":{["tn":"1"]}}'), "malformed-token", 438),
]
URL_FAULTS = [
    Case(f"x5u {url}", at(url), "x5u-refused", 436)
    for url in (
        "http://certificates.example.com/leaf.pem",
        "cid:leaf@example.com",
        "https://user:secret@certificates.example.com/leaf.pem",
        "https://certificates.example.com@127.0.0.1/leaf.pem",
        "https://certificates.example.com/leaf.pem?x=1",
        "https://certificates.example.com/leaf.pem#x",
        "https://certificates.example.com:22/leaf.pem",
        "https://certificates.example.com:/leaf.pem",
        "https://127.0.0.1/leaf.pem",
        "https://127.1/leaf.pem",
        "https://2130706433/leaf.pem",
        "https://0x7f.0.0.1/leaf.pem",
        "https://169.254.169.254/latest/meta-data",
        "https://10.1.2.3/leaf.pem",
        "https://100.64.0.1/leaf.pem",
        "https://0.0.0.0/leaf.pem",
        "https://[::1]/leaf.pem",
        "https://[fe80::1]/leaf.pem",
        "https://[::ffff:192.168.0.1]/leaf.pem",
        "https://[2002:7f00:1::]/leaf.pem",
        "https://localhost/leaf.pem",
        "https://printer.local/leaf.pem",
        "https://intranet/leaf.pem",
        "https:///leaf.pem",
        "https://certificates.example.com\\@127.0.0.1/leaf.pem",
        f"https://certificates.example.com/{'x' * 2000}",
    )
]
CLAIM_FAULTS = [
    Case(f"{name} {value!r}" if value is not ABSENT else f"{name} absent", claims(**{name: value}), "claims", 438)
    for name, values in {
        "iat": (ABSENT, str(NOW), True, float(NOW), NOW + 0.5, -1, 0, 1 << 62, None, [NOW]),
        "orig": (
            ABSENT,
            ORIG,
            {},
            [{"tn": ORIG}],
            {"tn": [ORIG]},
            {"tn": "+" + ORIG},
            {"tn": ""},
            {"tn": int(ORIG)},
            {"tn": "1-215-555-1212"},
            {"tn": "١٢١٥٥٥٥١٢١٢"},
            {"tn": ORIG, "uri": "sip:a@example.com"},
            {"uri": ""},
            {"tn": ORIG + "\n"},
        ),
        "dest": (
            ABSENT,
            {},
            [DEST],
            {"tn": []},
            {"tn": DEST},
            {"tn": ["+" + DEST]},
            {"tn": [int(DEST)]},
            {"tn": [[DEST]]},
            {"uri": []},
            {"tn": [DEST], "uri": "sip:a@example.com"},
            {"tn": [DEST] * 65},
        ),
        "attest": (ABSENT, "a", "X", "AB", "", 1, None, ["A"]),
        "origid": (ABSENT, "", "x", ORIGID[:-1], ORIGID.replace("-", ""), 1, f"{{{ORIGID}}}"),
    }.items()
    for value in values
]
SIGNALLING_FAULTS = [
    Case("iat 61 seconds ago", claims(iat=NOW - 61), "stale", 403),
    Case("iat 61 seconds ahead", claims(iat=NOW + 61), "stale", 403),
    Case("iat and Date an hour ago", claims(iat=NOW - 3600), "stale", 403, {"date": UnixTime(NOW - 3600)}),
    Case("iat an hour ago, Date fresh", claims(iat=NOW - 3600), "stale", 403, {"date": NOW}),
    Case("orig another number", claims(orig={"tn": "12155559999"}), "orig-mismatch", 438),
    Case(
        "orig is the From behind another PAI",
        claims(orig={"tn": ORIG}),
        "orig-mismatch",
        438,
        {"orig": ("12155550000",)},
    ),
    Case("orig a URI", claims(orig={"uri": "sip:alice@example.com"}), "orig-mismatch", 438),
    Case("no calling number at all", claims(), "orig-mismatch", 438, {"orig": ()}),
    Case("dest another number", claims(dest={"tn": ["12155559999"]}), "dest-mismatch", 438),
    Case(
        "dest only holds the request URI",
        claims(dest={"tn": ["12155550007"]}),
        "dest-mismatch",
        438,
        {"request_tn": "12155550007"},
    ),
    Case("dest a URI only", claims(dest={"uri": ["sip:bob@example.com"]}), "dest-mismatch", 438),
    Case("no called number at all", claims(), "dest-mismatch", 438, {"dest": ()}),
]
SIGNATURE_FAULTS = [
    Case("attest raised after signing", tampered, "signature", 438),
    Case("another key", lambda: field(sign(HEADER, CLAIMS, new_key())), "signature", 438),
    Case("one bit of the signature", with_signature(lambda s: bytes((s[0] ^ 1,)) + s[1:]), "signature", 438),
    Case("r and s zero", with_signature(lambda _: bytes(64)), "signature", 438),
    Case("r and s beyond the order", with_signature(lambda _: b"\xff" * 64), "signature", 438),
    Case("r and s swapped", with_signature(lambda s: s[32:] + s[:32]), "signature", 438),
]
FAULTS = FIELD_FAULTS + TOKEN_FAULTS + URL_FAULTS + CLAIM_FAULTS + SIGNALLING_FAULTS + SIGNATURE_FAULTS


def _check(case: Case, **arguments: Any) -> None:
    made = case.make()
    verdict = judge([made] if isinstance(made, str) else made, **arguments, **case.request)
    assert verdict.reason is not None
    assert (verdict.reason.value, verdict.code) == (case.reason, case.code), verdict.best.detail
    unknown = case.code == 428 or case.reason == "certificate-unavailable"
    assert verdict.verstat is (Verstat.NONE if unknown else Verstat.FAILED)
    assert verdict.attest is None
    assert verdict.best.detail.isascii()
    assert verdict.best.detail.isprintable()


@pytest.mark.clause("VS-04", "VS-08", "VS-01", "VS-37", "RFC 8224 6.2.2")
@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.name)
def test_a_fault_gives_its_reason_and_code(case: Case) -> None:
    """One thing wrong with a token is found, named, and has the response code RFC 8224 gives it."""
    _check(case)


def chain(shape: Shape | None = None, **arguments: Any) -> Issued:
    """A signing certificate from the trusted authority."""
    return authority().issue(shape, **arguments)


def _below_bad_intermediate(shape: Shape) -> Issued:
    root = authority().root
    bad = authority().issue_below(root, shape, common_name="TEST bad intermediate")
    return authority().issue_below(bad)


def _too_deep() -> Issued:
    """The intermediate allows no other intermediate below it."""
    extra = authority().issue_below(
        authority().intermediate,
        Shape(entries=None, authority=True, digital_signature=False, cert_sign=True),
        common_name="TEST second intermediate",
    )
    return authority().issue_below(extra)


def _cut(issued: Issued) -> Issued:
    return Issued(issued.certificate, issued.key)


def _self_signed() -> Issued:
    other = StiCa.create(NOW, root=Shape())
    return other.root


class CertificateCase(NamedTuple):
    """One faulty certificate: how to make it and what is expected."""

    name: str
    make: Callable[[], Issued]
    reason: str


AUTHORITY = Shape(entries=None, authority=True, digital_signature=False, cert_sign=True)
CERTIFICATE_FAULTS = [
    CertificateCase("leaf expired", lambda: chain(Shape(not_after=UnixTime(NOW - 1))), "certificate-expired"),
    CertificateCase("leaf not yet valid", lambda: chain(Shape(not_before=UnixTime(NOW + 1))), "certificate-expired"),
    CertificateCase(
        "intermediate expired",
        lambda: _below_bad_intermediate(
            Shape(
                entries=None,
                authority=True,
                cert_sign=True,
                not_after=UnixTime(NOW - DAY),
                not_before=UnixTime(NOW - 2 * DAY),
            )
        ),
        "certificate-expired",
    ),
    CertificateCase("another root", lambda: StiCa.create(NOW).issue(), "certificate-untrusted"),
    CertificateCase(
        "another root with the same names", lambda: StiCa.create(NOW, name="TEST").issue(), "certificate-untrusted"
    ),
    CertificateCase("self-signed", _self_signed, "certificate-untrusted"),
    CertificateCase("intermediate missing", lambda: _cut(chain()), "certificate-untrusted"),
    CertificateCase("no TNAuthList", lambda: chain(Shape(entries=None)), "certificate-tn-list"),
    CertificateCase("empty TNAuthList", lambda: chain(Shape(tn_auth_list_der=b"\x30\x00")), "certificate-tn-list"),
    CertificateCase(
        "TNAuthList without tags",
        lambda: chain(Shape(tn_auth_list_der=bytes.fromhex("300613043632324b"))),
        "certificate-tn-list",
    ),
    CertificateCase(
        "another number listed", lambda: chain(Shape(entries=TnAuthList((), (), (DEST,)))), "certificate-scope"
    ),
    CertificateCase(
        "a range that stops short",
        lambda: chain(
            Shape(entries=TnAuthList(("1234",), (NumberRange("12155551200", 12),)))  # type: ignore[arg-type]
        ),
        "certificate-scope",
    ),
    CertificateCase("an authority as signer", lambda: chain(Shape(authority=True)), "certificate-untrusted"),
    CertificateCase("the intermediate as signer", lambda: authority().intermediate, "certificate-untrusted"),
    CertificateCase(
        "key usage without signing", lambda: chain(Shape(digital_signature=False)), "certificate-untrusted"
    ),
    CertificateCase(
        "unknown critical extension", lambda: chain(Shape(critical_extension="1.2.3.4")), "certificate-untrusted"
    ),
    CertificateCase(
        "another certificate policy", lambda: chain(Shape(policy="2.23.140.1.2.1")), "certificate-untrusted"
    ),
    CertificateCase("P-384 key", lambda: chain(key=ec.generate_private_key(ec.SECP384R1())), "certificate-untrusted"),
    CertificateCase("signed with SHA-224", lambda: chain(Shape(digest=hashes.SHA224())), "certificate-untrusted"),
    CertificateCase(
        "AKI of another key", lambda: chain(Shape(authority_key_identifier=b"x" * 20)), "certificate-untrusted"
    ),
    CertificateCase("issued by a leaf", lambda: authority().issue_below(leaf()), "certificate-untrusted"),
    CertificateCase(
        "intermediate without basic constraints",
        lambda: _below_bad_intermediate(Shape(entries=None, basic_constraints=False, cert_sign=True)),
        "certificate-untrusted",
    ),
    CertificateCase(
        "intermediate that must not sign certificates",
        lambda: _below_bad_intermediate(Shape(entries=None, authority=True)),
        "certificate-untrusted",
    ),
    CertificateCase(
        "intermediate with an unknown critical extension",
        lambda: _below_bad_intermediate(
            Shape(entries=None, authority=True, cert_sign=True, critical_extension="1.2.3.4")
        ),
        "certificate-untrusted",
    ),
    CertificateCase("path too long", _too_deep, "certificate-untrusted"),
]


@pytest.mark.clause("VS-20", "CRT-03", "CRT-11", "CRT-12", "CRT-21", "RFC 8224 6.2.2")
@pytest.mark.parametrize("case", CERTIFICATE_FAULTS, ids=lambda case: case.name)
def test_a_faulty_certificate_is_437(case: CertificateCase) -> None:
    """A token signed with a certificate we don't accept fails with 437, and the reason says what is wrong with it."""
    issued = case.make()
    token = sign(HEADER, CLAIMS, issued.key if issued.key.key_size == 256 else None)
    verdict = judge([field(token)], store=filled_cache(issued.chain_pem))
    assert (verdict.reason, verdict.code) == (Reason(case.reason), 437), verdict.best.detail
    assert verdict.verstat is Verstat.FAILED


@pytest.mark.clause("CRT-09", "CRT-24")
def test_a_chain_in_the_wrong_order_is_437() -> None:
    """The signer's certificate comes first; an intermediate in front of it is not taken for one."""
    good = leaf()
    store = filled_cache(pem(authority().intermediate.certificate, good.certificate))
    assert judge([identity()], store=store).reason is Reason.CERTIFICATE_UNTRUSTED


@pytest.mark.clause("CRT-24")
@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<html>",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----",
        b"\x30\x82",
        b"x" * 70000,
    ],
)
def test_something_else_than_certificates_is_437(octets: bytes) -> None:
    """What was fetched is no certificate: a credential we cannot use."""
    verdict = judge([identity()], store=filled_cache(octets))
    assert (verdict.reason, verdict.code) == (Reason.CERTIFICATE_MALFORMED, 437)


def test_the_table_is_long_enough() -> None:
    """Two hundred faults, no two of one name."""
    names = [case.name for case in FAULTS] + [case.name for case in CERTIFICATE_FAULTS]
    assert len(names) == len(set(names))
    assert len(names) > 150
