"""The fault table for the wire: what an INVITE carries, and what has to come of it at a trunk that refuses.

Every case is right but for what its name says. Refusals carry the code RFC 8224 §6.2.2 gives them; the reason is the
one that the attestation record names. What peers get wrong on the wire stands in the first two groups.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tests.live.forge import ABSENT, DEST, ORIG, OTHER
from tests.live.wire_rows import (
    Rows,
    asserted,
    at,
    before_its_certificate,
    beside,
    by,
    claims,
    compact,
    der_signature,
    diverted_elsewhere,
    foreign_key,
    header,
    hmac_look,
    latin_in_token,
    look_alike,
    moved,
    named,
    parameters,
    payload,
    raised,
    retargeted,
    signature,
    token,
    unsigned_token,
    uri,
    with_date,
    with_rows,
)  # fmt: skip

PASSED, FAILED, NONE = "TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation"
TRUSTED, STRANGER, TAGGING = "127.0.0.41", "127.0.0.43", "127.0.0.42"  # two trunks that refuse, one that tags
PHRASES = {
    403: "Stale Date",
    428: "Use Identity Header",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
}


class Outcome(NamedTuple):
    """What came of a call: status line, what the PBX was told of the caller, and the reason in the record."""

    code: int
    phrase: str
    verstat: str = "-"
    reason: str = "-"


class Case(NamedTuple):
    """One call: its name, how its header rows are made, and its outcome.

    ``addresses`` replace those of the usual call. ``twice``: the same rows come with an earlier call already.
    """

    name: str
    rows: Rows
    expected: Outcome
    addresses: Mapping[str, str] = {}
    source: str = TRUSTED
    twice: bool = False


def refused(code: int, reason: str) -> Outcome:
    """A refusal."""
    return Outcome(code, PHRASES[code], reason=reason)


def delivered(verstat: str = PASSED, reason: str = "-") -> Outcome:
    """A call that reached the PBX and was answered."""
    return Outcome(200, "OK", verstat, reason)


MUST_BE_REFUSED = [
    Case("for another called number", claims(dest={"tn": [OTHER]}), refused(438, "dest-mismatch")),
    Case("for another calling number", claims(orig={"tn": OTHER}), refused(438, "orig-mismatch")),
    Case("certificate of an unknown authority", by("other-root"), refused(437, "certificate-untrusted")),
    Case("certificate expired", by("expired"), refused(437, "certificate-expired")),
    Case("certificate for another number", by("another-number"), refused(437, "certificate-scope")),
    Case("no attest", claims(attest=ABSENT), refused(438, "claims")),
    Case("attest Z", claims(attest="Z"), refused(438, "claims")),
    Case("no origid", claims(origid=ABSENT), refused(438, "claims")),
    Case("no ppt in the token", header(ppt=ABSENT), refused(438, "ppt-mismatch")),
    Case("no ppt parameter", parameters(lambda p: p.replace(";ppt=shaken", "")), refused(438, "ppt-mismatch")),
    Case("info another URL than x5u", header(x5u="https://elsewhere.example/x.pem"), refused(438, "info-mismatch")),
    Case("iat two minutes ahead", moved(120), refused(403, "stale")),
    Case("iat two minutes ago", moved(-120), refused(403, "stale")),
    Case("iat and Date an hour ago", lambda f: [with_date(-3600)(f)[0], *moved(-3600)(f)], refused(403, "stale")),
    Case("the same token in another call", claims(), refused(438, "replayed"), twice=True),
    Case("an Identity that is no Identity", lambda _: ["Identity: garbage"], refused(438, "malformed-header")),
    Case("attest raised after signing", raised, refused(438, "signature")),
    Case("orig is From, but not P-Asserted-Identity", with_rows(asserted(OTHER)), refused(438, "orig-mismatch")),
]
MUST_BE_ACCEPTED = [
    Case("nothing wrong at all", claims(), delivered()),
    Case("orig is P-Asserted-Identity, From another number", with_rows(asserted(ORIG)), delivered(),
         {"from": uri(OTHER)}),
    Case("P-Asserted-Identity as sip and tel", with_rows(f"{asserted(ORIG)}, <tel:+{ORIG}>"), delivered()),
    Case("several dest numbers", claims(dest={"tn": ["12125550124", DEST, OTHER]}), delivered()),
    Case("unknown claims", claims(zzz={"deep": [1, {"x": None}]}, aud="x"), delivered()),
    Case("unknown member of the protected header", header(kid="key-7"), delivered()),
    Case("compact name y", named("y:"), delivered()),
    Case("name in capitals, space before the colon", named("IDENTITY :"), delivered()),
    Case("parameter names in capitals",
         parameters(lambda p: p.replace("info", "INFO").replace("alg", "ALG").replace("ppt", "PPT")), delivered()),
    Case("parameter values quoted", parameters(lambda p: p.replace("ES256", '"ES256"').replace("shaken", '"shaken"')),
         delivered()),
    Case("parameters in another order",
         parameters(lambda p: ";ppt=shaken;alg=ES256" + p.partition(";alg")[0]), delivered()),
    Case("unknown parameters", parameters(lambda p: p + ';x=1;y;z="q;\\";info=<no>"'), delivered()),
    Case("no alg parameter", parameters(lambda p: p.replace(";alg=ES256", "")), delivered()),
    Case("spaces around the parameters", parameters(lambda p: p.replace(";", " ; ").replace("=", " = ")), delivered()),
    Case("folded over lines", parameters(lambda p: p.replace(";", "\r\n\t;")), delivered()),
    Case("garbage before a good one", beside(lambda _: ["Identity: garbage"]), delivered()),
    Case("garbage after a good one", beside(lambda _: ["Identity: ;;;"], good_first=True), delivered()),
    Case("a good one among eight others", beside(
        raised, foreign_key, claims(attest="Z"), moved(-120), claims(dest={"tn": [OTHER]}), by("expired"),
        by("missing"), at("http://certificates.example/x.pem")), delivered()),
    Case("an unsupported type beside a good one", beside(parameters(lambda p: p.replace("shaken", "msgi"))),
         delivered()),
    Case("a dead repository beside a good one", beside(by("missing"), good_first=True), delivered()),
    Case("white space in the payload", payload(lambda p: p.replace(",", " ,\n").replace(":", ": ")), delivered()),
    Case("members in another order", lambda f: [
        f"Identity: {f.sign(dict(reversed(f.header().items())), dict(reversed(f.claims().items())))}{f.parameters()}"],
        delivered()),
    Case("attest C", claims(attest="C"), delivered()),
    Case("signed fifty seconds ago", moved(-50), delivered()),
    Case("signed fifty seconds ahead", moved(50), delivered()),
    Case("Date an hour ago, iat fresh", with_date(-3600), delivered()),
    Case("Date that is none", with_rows("Date: yesterday"), delivered()),
    Case("From in national format", claims(), delivered(), {"from": f"<sip:{ORIG[1:]}@peer.example;user=phone>"}),
    Case("From with separators", claims(), delivered(), {"from": "<sip:+1-(718)-555.0170@peer.example>"}),
    Case("From a tel URI", claims(), delivered(), {"from": f"<tel:+{ORIG}>"}),
    Case("To a tel URI", claims(), delivered(), {"to": f"<tel:+{DEST}>"}),
    Case("anonymous, the carrier asserts the number (the PBX is told nothing)",
         with_rows("Privacy: id", asserted(ORIG)), delivered("-"),
         {"from": '"Anonymous" <sip:anonymous@anonymous.invalid>'}),
    Case("retargeted, with a div PASSporT", retargeted, delivered(), {"to": uri(OTHER)}),
    Case("retargeted without one: To decides", claims(dest={"tn": [OTHER]}), delivered(), {"to": uri(OTHER)}),
    Case("a base PASSporT", lambda f: [
        f"Identity: {f.sign(f.header(ppt=ABSENT), f.claims(attest=ABSENT, origid=ABSENT))};info=<{f.url()}>"],
        delivered()),
    Case("a base PASSporT in compact form", compact, delivered()),
]  # fmt: skip
CERTIFICATES_ACCEPTED = [
    Case(f"certificate: {title}", by(name), delivered())
    for title, name in (
        ("the root in the chain", "with-root"),
        ("P-384 issuer", "p384-issuer"),
        ("RSA issuer", "rsa-issuer"),
        ("this number alone", "listed-number"),
        ("a range with this number", "listed-range"),
        ("ten minutes left", "short-lived"),
        ("issued by the root itself", "direct"),
        ("DER", "der"),
        ("text around the PEM blocks", "dressed-up"),
    )
]
FIELD = [
    Case("no Identity", lambda _: [], refused(428, "missing")),
    Case("an unsupported type alone", parameters(lambda p: p.replace("shaken", "msgi")),
         refused(428, "unsupported-ppt")),
    Case("empty value", lambda _: ["Identity:"], refused(438, "malformed-header")),
    Case("no parameters", parameters(lambda _: ""), refused(438, "malformed-header")),
    Case("info missing", parameters(lambda _: ";alg=ES256;ppt=shaken"), refused(438, "info-missing")),
    Case("info without brackets", parameters(lambda p: p.replace("<", "").replace(">", "")),
         refused(438, "malformed-header")),
    Case("info bracket left open", parameters(lambda p: p.replace(">", "")), refused(438, "malformed-header")),
    Case("info twice", parameters(lambda p: p + p.partition(";alg")[0]), refused(438, "malformed-header")),
    Case("ppt twice", parameters(lambda p: p + ";ppt=div"), refused(438, "malformed-header")),
    Case("quote left open", parameters(lambda p: p.replace("shaken", '"shaken')), refused(438, "malformed-header")),
    Case("two values in one row", lambda f: [f"{f.identity()}, {f.token()}{f.parameters()}"],
         refused(438, "malformed-header")),
    Case("alg parameter HS256", hmac_look, refused(438, "algorithm")),
    Case("compact form of a SHAKEN PASSporT", token(lambda t: ".." + t.rpartition(".")[2]),
         refused(438, "compact-form")),
    Case("five thousand octets of parameters", parameters(lambda p: p + f";x={'y' * 5000}"),
         refused(438, "malformed-header")),
]  # fmt: skip
TOKEN = [
    Case("two segments", token(lambda t: t.rpartition(".")[0]), refused(438, "malformed-token")),
    Case("four segments", token(lambda t: t + ".AAAA"), refused(438, "malformed-token")),
    Case("a space inside", token(lambda t: f"{t[:9]} {t[9:]}"), refused(438, "malformed-token")),
    Case("an octet above ASCII inside", latin_in_token, refused(438, "malformed-token")),
    Case("padded", token(lambda t: t + "=="), refused(438, "malformed-token")),
    Case("junk in the signature", token(lambda t: f"{t[:-4]}!{t[-4:]}"), refused(438, "malformed-token")),
    Case("40,000 octets", payload(lambda p: " " * 40_000 + p), refused(438, "malformed-token")),
    Case("63 octets of signature", signature(lambda s: s[:63]), refused(438, "malformed-token")),
    Case("signature in DER", der_signature, refused(438, "malformed-token")),
    Case("alg none, not signed", unsigned_token, refused(438, "algorithm")),
    Case("alg HS256 in the token", header(alg="HS256"), refused(438, "algorithm")),
    Case("alg ES384 in the token", header(alg="ES384"), refused(438, "algorithm")),
    Case("alg missing", header(alg=ABSENT), refused(438, "algorithm")),
    Case("typ JWT", header(typ="JWT"), refused(438, "malformed-token")),
    Case("crit", header(crit=["b64"], b64=False), refused(438, "malformed-token")),
    Case("x5u missing", header(x5u=ABSENT), refused(438, "malformed-token")),
    Case("another type in the token", header(ppt="div"), refused(438, "ppt-mismatch")),
    Case("payload no JSON", payload(lambda _: "{"), refused(438, "malformed-token")),
    Case("payload a list", payload(lambda p: f"[{p}]"), refused(438, "malformed-token")),
    Case("a member twice", payload(lambda p: p[:-1] + f',"orig":{{"tn":"{OTHER}"}}}}'),
         refused(438, "malformed-token")),
    Case("NaN", payload(lambda p: p[:-1] + ',"x":NaN}'), refused(438, "malformed-token")),
    Case("a number of 5000 digits", payload(lambda p: f'{p[:-1]},"x":{"9" * 5000}}}'), refused(438, "malformed-token")),
    Case("5000 nested lists", payload(lambda p: f'{p[:-1]},"x":{"[" * 5000}{"]" * 5000}}}'),
         refused(438, "malformed-token")),
    Case("a byte order mark", payload(lambda p: b"\xef\xbb\xbf" + p.encode()), refused(438, "malformed-token")),
]  # fmt: skip
CLAIMS = [
    Case(f"{title}", claims(**{name: value}), refused(438, "claims"))
    for title, name, value in (
        ("no iat", "iat", ABSENT),
        ("iat a string", "iat", "1800000000"),
        ("iat true", "iat", True),
        ("no orig", "orig", ABSENT),
        ("orig.tn a list", "orig", {"tn": [ORIG]}),
        ("orig.tn with a plus", "orig", {"tn": "+" + ORIG}),
        ("orig with tn and uri", "orig", {"tn": ORIG, "uri": "sip:a@peer.example"}),
        ("no dest", "dest", ABSENT),
        ("dest.tn a string", "dest", {"tn": DEST}),
        ("dest.tn empty", "dest", {"tn": []}),
        ("attest a", "attest", "a"),
        ("origid no UUID", "origid", "1234"),
    )
] + [Case("dest in Arabic-Indic digits", look_alike, refused(438, "claims"))]
SIGNATURES = [
    Case("signed with another key", foreign_key, refused(438, "signature")),
    Case("one bit of the signature", signature(lambda s: bytes((s[0] ^ 1,)) + s[1:]), refused(438, "signature")),
    Case("r and s zero", signature(lambda _: bytes(64)), refused(438, "signature")),
    Case("r and s beyond the order", signature(lambda _: b"\xff" * 64), refused(438, "signature")),
    Case("r and s swapped", signature(lambda s: s[32:] + s[:32]), refused(438, "signature")),
]
CALLS = [
    Case("nothing signed for this caller, PAI of a stranger", with_rows(asserted(ORIG)), refused(438, "orig-mismatch"),
         {"from": uri(OTHER)}, STRANGER),
    Case("anonymous, nobody asserts a number", claims(), refused(438, "orig-mismatch"),
         {"from": "<sip:anonymous@anonymous.invalid>"}),
    Case("To another number than dest", claims(), refused(438, "dest-mismatch"), {"to": uri(OTHER)}),
    Case("retargeted, the diversion leads elsewhere", diverted_elsewhere, refused(438, "diversion"),
         {"to": uri(OTHER)}),
    Case("diverted, but from nowhere", lambda f: [f.diversion()], refused(438, "diversion"), {"to": uri(OTHER)}),
]  # fmt: skip
CERTIFICATES = [
    Case(f"certificate: {title}", by(name), refused(437, f"certificate-{reason}"))
    for title, name, reason in (
        ("not yet valid", "not-yet-valid", "expired"),
        ("an intermediate expired", "expired-intermediate", "expired"),
        ("a range that stops short", "range-too-short", "scope"),
        ("wider than its parent's numbers", "wider-than-parent", "scope"),
        ("no TNAuthList", "no-tn-list", "tn-list"),
        ("empty TNAuthList", "empty-tn-list", "tn-list"),
        ("TNAuthList without tags", "untagged-tn-list", "tn-list"),
        ("self-signed", "self-signed", "untrusted"),
        ("intermediate missing", "no-intermediate", "untrusted"),
        ("intermediate first", "wrong-order", "untrusted"),
        ("issued by a leaf", "issued-by-a-leaf", "untrusted"),
        ("path longer than allowed", "path-too-long", "untrusted"),
        ("issuer is no authority", "issuer-no-authority", "untrusted"),
        ("issuer must not sign certificates", "issuer-must-not-sign", "untrusted"),
        ("an authority as signer", "an-authority", "untrusted"),
        ("key usage without signing", "must-not-sign", "untrusted"),
        ("unknown critical extension", "unknown-critical", "untrusted"),
        ("a web site's policy", "web-policy", "untrusted"),
        ("P-384 key", "p384-key", "untrusted"),
        ("SHA-224", "sha-224", "untrusted"),
        ("key identifier of another issuer", "foreign-aki", "untrusted"),
    )
] + [
    Case("signed before the certificate began", before_its_certificate, refused(437, "certificate-expired")),
    Case("attest A, the certificate permits B and C", by("only-b-and-c"), refused(438, "claims-not-permitted")),
    Case("no rcd, the certificate demands it", by("demands-rcd"), refused(438, "claims-not-permitted")),
]
REPOSITORIES = [
    Case(f"repository: {title}", by(name), refused(436, "certificate-unavailable"))
    for title, name in (
        ("404", "missing"),
        ("nobody listens", "closed"),
        ("says nothing", "silent"),
        ("sends us elsewhere", "moved"),
        ("its own certificate is from a stranger", "unknown-server"),
        ("seventy thousand octets", "huge"),
    )
] + [
    Case(f"repository: {title}", by(name), refused(437, "certificate-malformed"))
    for title, name in (
        ("a web page", "web-page"), ("an empty file", "nothing"), ("half a certificate", "half"),
        ("eleven certificates", "many"),
    )
]  # fmt: skip
URLS = [
    Case(f"x5u {url}", at(url), refused(436, "x5u-refused"))
    for url in (
        "http://certificates.example/leaf.pem",
        "cid:leaf@peer.example",
        "https://user:secret@certificates.example/leaf.pem",
        "https://certificates.example/leaf.pem?x=1",
        "https://certificates.example/leaf.pem#x",
        "https://certificates.example:22/leaf.pem",
        "https://127.0.0.1/leaf.pem",
        "https://2130706433/leaf.pem",
        "https://169.254.169.254/latest/meta-data",
        "https://10.1.2.3/leaf.pem",
        "https://[::1]/leaf.pem",
        "https://[::ffff:192.168.0.1]/leaf.pem",
        "https://printer.local/leaf.pem",
    )
]
TAGGED = [
    Case("tagged: nothing wrong at all", claims(), delivered(), source=TAGGING),
    Case("tagged: no Identity", lambda _: [], delivered(NONE, "missing"), source=TAGGING),
    Case("tagged: no Identity, the caller says it passed", lambda _: [], delivered(NONE, "missing"),
         {"from": f"<sip:+{ORIG};verstat=TN-Validation-Passed@peer.example;user=phone>"}, TAGGING),
    Case("tagged: attest raised after signing", raised, delivered(FAILED, "signature"), source=TAGGING),
    Case("tagged: stale", moved(-120), delivered(FAILED, "stale"), source=TAGGING),
    Case("tagged: certificate of an unknown authority", by("other-root"), delivered(FAILED, "certificate-untrusted"),
         source=TAGGING),
    Case("tagged: dead repository", by("missing"), delivered(NONE, "certificate-unavailable"), source=TAGGING),
    Case("tagged: x5u never fetched", at("https://10.1.2.3/leaf.pem"), delivered(FAILED, "x5u-refused"),
         source=TAGGING),
]  # fmt: skip

GROUPS: Mapping[str, list[Case]] = {
    "What peers accept and must refuse": MUST_BE_REFUSED,
    "What peers refuse and must accept": MUST_BE_ACCEPTED,
    "Certificates that are good": CERTIFICATES_ACCEPTED,
    "The header field": FIELD,
    "The token": TOKEN,
    "The claims": CLAIMS,
    "The signature": SIGNATURES,
    "The call": CALLS,
    "The certificate": CERTIFICATES,
    "The repository": REPOSITORIES,
    "URLs that are never fetched": URLS,
    'The same at a trunk that tags (`on_failure = "tag"`)': TAGGED,
}
