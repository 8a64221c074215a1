"""The seed corpus, made from what the tests already hold: torture messages, vectors, wire rows, calls of the samples.

``seeds`` gives a target's inputs by name, ``write`` puts them where libFuzzer finds them. Nothing is kept twice, and
what a fuzzer found once is in ``fuzz/found``, a file for each, named after its target.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sipguard.errors import MalformedMessage
from sipguard.sip.header import unfold
from sipguard.sip.message import row_value
from sipguard.sip.parser import parse
from sipguard.testing.policy_administrator import issue_list, issue_trust_list, make_administrator
from sipguard.testing.sample import CARRIER_A, OWNED, invite
from tests.live import wire_cases
from tests.live.forge import Forge
from tests.runtime.test_websocket_session import opening
from tests.sip.test_digest import HTTP, OLDER, RESPONSES
from tests.sip.test_stun import REQUEST as STUN
from tests.stir import kit

TESTS = Path(__file__).parent.parent / "tests"
TORTURE = TESTS / "torture" / "vectors"
FOUND = Path(__file__).parent / "found"
BYE = invite(method="BYE")


def write(target: str, directory: Path) -> Path:
    """Write a target's seeds below ``directory``; returns where."""
    where = directory / target
    where.mkdir(parents=True, exist_ok=True)
    for name, data in seeds(target).items():
        (where / name).write_bytes(data)
    return where


def seeds(target: str) -> dict[str, bytes]:
    """The inputs of a target, by name."""
    made = {f"seed-{number:04}": data for number, data in enumerate(sorted(set(MAKERS[target]())))}
    return made | {path.name: path.read_bytes() for path in sorted(FOUND.glob(f"{target}-*"))}


def torture() -> list[bytes]:
    """Every file of RFC 4475 and RFC 5118."""
    return [path.read_bytes() for path in sorted(TORTURE.iterdir()) if path.suffix != ".json"]


def messages() -> Iterator[bytes]:
    """Torture messages, and those of a call."""
    yield from torture()
    yield invite().encode()
    yield BYE.encode()
    yield invite(source=CARRIER_A, headers=(f"Identity: {kit.identity()}", "Privacy: id")).encode()


def streams() -> Iterator[bytes]:
    """Messages one after the other, with keep-alives between them."""
    for data in torture():
        yield b"\x07\x1f\x00\x03\x02\x63\x01\x0d" + data + b"\r\n\r\n" + invite().encode()
    yield bytes(8) + b"\r\n\r\n\r\n" + BYE.encode() * 3


def values() -> Iterator[bytes]:
    """Every value of every header row of every message, split and whole; and Request-URIs."""
    for data in messages():
        try:
            message = parse(data)
        except MalformedMessage:
            continue
        yield message.start_line.split(" ")[1].encode("latin-1")
        for row in message.rows:
            value = unfold(row_value(row)).encode("latin-1")
            yield value
            yield from value.split(b",")[:4]
            yield value[value.find(b";") :]
    for uri in ("sip:+1-212-555-1212:1234@gateway.com;user=phone?a=b", "tel:863-1234;phone-context=+1-914-555", "x:y"):
        yield uri.encode()


def digests() -> Iterator[bytes]:
    """Published credentials and challenges."""
    for algorithm, response in RESPONSES.items():
        yield HTTP.format(algorithm=algorithm, response=response).encode()
    yield OLDER.encode()
    yield b'Digest realm="biloxi.example.com", qop="auth,auth-int", nonce="d", opaque="", stale=FALSE'
    yield b"digest Realm=a, NONCE=b ,algorithm=sha-512-256"


def vectors() -> Iterator[dict[str, str]]:
    """The PASSporT vectors."""
    for path in sorted((TESTS / "stir" / "vectors").glob("*.json")):
        vector = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(vector, dict) and isinstance(vector.get("token"), str):
            yield vector


def identities() -> Iterator[bytes]:
    """Good fields, those of the vectors, and every Identity row of the fault table."""
    yield kit.identity().encode()
    yield f"{kit.identity()}\r\n\r\n{kit.forged(iat=1)}".encode()
    yield b"..AAAA;info=<https://certificates.example.com/leaf.pem>"
    for vector in vectors():
        yield kit.field(vector["token"]).encode("latin-1")
    with tempfile.TemporaryDirectory() as directory, Forge(Path(directory)) as forge:
        for case in (*wire_cases.MUST_BE_REFUSED, *wire_cases.MUST_BE_ACCEPTED):
            rows = [row.partition(":")[2].strip(" ") for row in case.rows(forge) if row[:1] in "Iiy"]
            yield "\r\n\r\n".join(rows).encode("latin-1")


def passports() -> Iterator[bytes]:
    """Header, claims and parameters in clear."""
    parameters = f";info=<{kit.URL}>;alg=ES256"
    more: dict[str, dict[str, object]] = {
        "div": {"div": {"tn": kit.DEST, "hi": "1.1"}},
        "div-o": {"div": {"tn": kit.DEST}, "opt": kit.sign(kit.HEADER, kit.CLAIMS)},
        "rph": {"rph": {"auth": ["esnet.0"]}, "sph": "psap-callback"},
        "rcd": {"rcd": {"nam": "Q", "jcd": ["vcard", [["photo", {}, "uri", "https://e.example/p"]]]}, "crn": "Hello",
                "rcdi": {"/nam": "sha256-AAAA", "/jcd/1/0/3": "sha256-AAAA"}},
        "shaken": {"mky": [{"alg": "sha-256", "dig": "AB"}]},
    }  # fmt: skip
    for ppt, claims in more.items():
        header = json.dumps({**kit.HEADER, "ppt": ppt})
        yield f"{header}\n{json.dumps({**kit.CLAIMS, **claims})}\n{parameters};ppt={ppt}".encode()
    for vector in vectors():
        if isinstance(vector.get("header_json"), str) and isinstance(vector.get("payload_json"), str):
            yield f"{vector['header_json']}\n{vector['payload_json']}\n{parameters};ppt=shaken".encode()


def certificates() -> Iterator[bytes]:
    """Something good of each kind."""
    leaf, root = kit.leaf(), kit.authority().root
    administrator = make_administrator(kit.NOW)
    yield b"C" + leaf.chain_pem
    yield b"T" + bytes.fromhex("3008a006160431323334")
    yield b"R" + issue_list(administrator, [], kit.NOW)
    yield b"P" + issue_trust_list(administrator, [root.certificate], sequence=1, expires=kit.NOW + 1)
    yield b'J{"a": [1, {"b": null}], "c": 1e3, "d": "\\u20ac"}'
    yield b"N" + bytes.fromhex("3006a0043002160161")


def sessions() -> Iterator[bytes]:
    """A handshake and what a client sends after it."""
    cut = b"\x05\x00\x40\x02"
    for more in ((), ("Origin: https://page.example",), ("Origin: https://other.example",)):
        yield cut + opening(*more)
    yield cut + opening(start="POST / HTTP/1.1")
    text, binary = b"\x81\x85\1\2\3\4" + bytes((0x69, 0x67, 0x6F, 0x68, 0x6E)), b"\x02\x81\0\0\0\0a\x80\x81\0\0\0\0b"
    for frames in (
        text,
        binary,
        b"\x89\x80\0\0\0\0",
        b"\x88\x82\0\0\0\0\x03\xe8",
        b"\x8a\x80\0\0\0\0" + text,
        b"\xc1\x80",
    ):
        yield cut + opening() + frames


def scripts() -> Iterator[bytes]:
    """Calls and pieces of calls for the engine, and every torture message from either side."""
    call = b"R0" + invite().encode()
    cancel = b"R0" + invite(method="CANCEL").encode()
    arriving = b"R1" + invite(source=CARRIER_A, calling="12125550123", called=OWNED).encode()
    bye = b"R0" + BYE.encode().replace(b"@192.0.2.1;user=phone>\r\nCall", b"@192.0.2.1>;tag=callee\r\nCall", 1)
    for steps in (
        (call, b"?0y", b"A180", b"A1200", bye, b"A2200", b".0320"),
        (call, b"?0y", b"A180", cancel, b"A1487", b".0320"),
        (call, b"?0y", b".0320", b"=0", b"X1", b"A1503", b"A2486"),
        (call, b"?0", b".0320"),
        (arriving, b"?0y", b"?1y", b"A1200", b"=0", b"A1200"),
        (b"D", call, b"?0y"),
    ):
        for sample in b"0", b"1", b"2":
            yield sample + b"\n--\n".join(steps)
    yield b"0R0" + STUN
    for data in torture():
        yield b"0R0" + data + b"\n--\n?0y"
        yield b"0R6" + data + b"\n--\n?0y"


MAKERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "message": messages,
    "framing": streams,
    "values": values,
    "digest": digests,
    "identity": identities,
    "passport": passports,
    "certificate": certificates,
    "websocket": sessions,
    "engine": scripts,
}
