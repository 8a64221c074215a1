"""How the fault table's header rows are made: small functions that return what makes them when the call is placed.

Each changes one thing about a good Identity header and signs what has to be signed afterwards, unless it says so.
"""

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from tests.live.forge import DEST, ORIG, OTHER, Forge, decode, encode, segment, signed

Rows = Callable[[Forge], list[str]]  # the header rows of one INVITE, made at the moment it is sent


def uri(number: str) -> str:
    """A SIP address of a number."""
    return f"<sip:+{number}@peer.example>"


def asserted(number: str) -> str:
    """A P-Asserted-Identity row."""
    return f"P-Asserted-Identity: {uri(number)}"


def claims(**changes: Any) -> Rows:
    """One header whose claims differ, correctly signed."""
    return lambda f: [f.identity(**changes)]


def moved(seconds: int) -> Rows:
    """One header made so many seconds from now."""
    return lambda f: [f.identity(iat=int(time.time()) + seconds)]


def header(**changes: Any) -> Rows:
    """One header whose protected header differs, correctly signed."""
    return lambda f: [f"Identity: {f.sign(f.header(**changes), f.claims())}{f.parameters()}"]


def by(name: str) -> Rows:
    """One header signed by the holder of a certificate, or whose certificate is not to be had."""
    return lambda f: [f.identity(name)]


def at(url: str) -> Rows:
    """One header whose certificate is at a URL."""
    return lambda f: [f"Identity: {f.sign(f.header(x5u=url), f.claims())};info=<{url}>;alg=ES256;ppt=shaken"]


def parameters(change: Callable[[str], str]) -> Rows:
    """One header whose parameters differ; ``change`` is given the good ones."""
    return lambda f: [f"Identity: {f.token()}{change(f.parameters())}"]


def token(change: Callable[[str], str]) -> Rows:
    """One header whose token was changed after it was signed."""
    return lambda f: [f"Identity: {change(f.token())}{f.parameters()}"]


def signature(change: Callable[[bytes], bytes]) -> Rows:
    """One header whose signature was changed."""
    return token(lambda t: f"{t.rpartition('.')[0]}.{encode(change(decode(t.rpartition('.')[2])))}")


def payload(change: Callable[[str], str | bytes]) -> Rows:
    """One header whose payload is other text, correctly signed; ``change`` is given the good JSON."""
    return lambda f: [
        f"Identity: {f.sign(f.header(), change(decode(segment(f.claims())).decode()))}{f.parameters()}"
    ]  # fmt: skip


def named(name: str) -> Rows:
    """One good header under another spelling of its name."""
    return lambda f: [f.identity().replace("Identity:", name, 1)]


def beside(*others: Rows, good_first: bool = False) -> Rows:
    """A good header and others, each in a row of its own."""

    def rows(f: Forge) -> list[str]:
        bad = [row for other in others for row in other(f)]
        return [f.identity(), *bad] if good_first else [*bad, f.identity()]

    return rows


def with_rows(*more: str) -> Rows:
    """A good header and other rows of the request."""
    return lambda f: [*more, f.identity()]


def with_date(seconds: int) -> Rows:
    """A good header and a Date."""
    return lambda f: [f"Date: {formatdate(time.time() + seconds, usegmt=True)}", f.identity()]


def compact(f: Forge) -> list[str]:
    """A base PASSporT in compact form, which the request completes."""
    now = int(time.time())
    head = f'{{"alg":"ES256","typ":"passport","x5u":"{f.url()}"}}'
    body = f'{{"dest":{{"tn":["{DEST}"]}},"iat":{now},"orig":{{"tn":"{ORIG}"}}}}'
    signature_only = f.sign(head, body).rpartition(".")[2]
    return [f"Date: {formatdate(now, usegmt=True)}", f"Identity: ..{signature_only};info=<{f.url()}>;alg=ES256"]


def raised(f: Forge) -> list[str]:
    """Attestation raised after signing."""
    first, _, last = f.token(attest="C").split(".")
    return [f"Identity: {first}.{segment(f.claims())}.{last}{f.parameters()}"]


def foreign_key(f: Forge) -> list[str]:
    """Signed with the key of another certificate."""
    return [f"Identity: {f.sign(f.header(), f.claims(), 'second')}{f.parameters()}"]


def before_its_certificate(f: Forge) -> list[str]:
    """Signed twenty seconds before the certificate became valid."""
    return [f.identity("begins-now", iat=f.now - 20)]


def hmac_look(f: Forge) -> list[str]:
    """A correct ES256 signature under a header that says HS256."""
    return [f"Identity: {f.sign(f.header(alg='HS256'), f.claims())}{f.parameters().replace('ES256', 'HS256')}"]


def retargeted(f: Forge) -> list[str]:
    """A call for another number that was sent on to this one, with the proof of it."""
    return [f.identity(dest={"tn": [OTHER]}), f.diversion()]


def diverted_elsewhere(f: Forge) -> list[str]:
    """The same with a diversion that leads to a third number."""
    return [f.identity(dest={"tn": [OTHER]}), f.diversion(dest={"tn": ["12125550124"]})]


def look_alike(f: Forge) -> list[str]:
    """Dest in Arabic-Indic digits."""
    return [f.identity(dest={"tn": [DEST.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))]})]


def der_signature(f: Forge) -> list[str]:
    """The signature as DER says it."""
    head, body, last = f.token().split(".")
    raw = decode(last)
    integers = b"".join(b"\x02\x21\x00" + part for part in (raw[:32], raw[32:]))
    return [f"Identity: {head}.{body}.{encode(b'0' + bytes((len(integers),)) + integers)}{f.parameters()}"]


def unsigned_token(f: Forge) -> list[str]:
    """``alg`` none and no signature at all."""
    text = f"{segment(f.header(alg='none'))}.{segment(f.claims())}."
    return [f"Identity: {text}{f.parameters()}"]


def latin_in_token(f: Forge) -> list[str]:
    """An octet above ASCII inside what was signed."""
    head, body, _ = f.token().split(".")
    return [f"Identity: {signed(f'{head}.{body[:9]}é{body[10:]}', f.key())}{f.parameters()}"]
