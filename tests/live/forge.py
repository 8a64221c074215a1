"""Where the fault table's Identity headers are made: any certificate behind any URL, any token, signed with any key.

Tokens are put together here by hand, so that what sipguard accepts is not judged by what sipguard writes. Each one is
unique and fresh at the moment it is made. The certificates are from a TEST authority of this process; its chains are
served over HTTPS on loopback, next to repositories that fail in every way a repository can.
"""

import base64
import json
import socket
import ssl
import threading
import time
import uuid
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from scenarios import topology
from scenarios.repository import Repository
from sipguard.stir.claim_constraints import ClaimConstraints
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import NumberRange, TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import DAY, Issued, Shape, StiCa, issue_server, new_key, pem

ORIG, DEST, OTHER = topology.FRIEND, topology.OWNED, topology.OUTSIDE
ABSENT: Any = object()
_MIXED_LIST = TnAuthList(("1234",), (NumberRange(TN(ORIG[:-2] + "00"), 100),), (TN(OTHER),))
_AUTHORITY = Shape(entries=None, authority=True, digital_signature=False, cert_sign=True)


class Forge(ExitStack):
    """Certificates, repositories and keys; leaving the context stops the repositories."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self.now = UnixTime(int(time.time()))
        self._ca = StiCa.create(self.now)
        self._chains = self._good() | self._shaped() | self._built_wrong()
        server, server_ca = issue_server(self.now)
        unknown_server, _ = issue_server(self.now)
        self._file("https-ca.pem", server_ca.public_bytes(Encoding.PEM))
        self._file("anchors.pem", self._ca.anchors_pem)
        served = {name: issued.chain_pem for name, issued in self._chains.items()} | self._not_chains()
        files = {f"/{name}": self._file(f"served-{name}", octets) for name, octets in served.items()}
        self.repository = self.enter_context(Repository(*self._server_files("server", server), files))
        self._unknown = self.enter_context(Repository(*self._server_files("unknown", unknown_server), files))
        silent = self.enter_context(socket.create_server(("127.0.0.1", 0)))
        closed = self.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))  # bound, so that nobody else listens there
        self._ports = {
            "silent": silent.getsockname()[1],
            "closed": closed.getsockname()[1],
            "moved": self._serve_redirects(*self._server_files("server", server), self.repository.url("/good")),
        }

    # --- what the proxy is configured with

    @property
    def anchors(self) -> Path:
        """The trust anchors."""
        return self._directory / "anchors.pem"

    @property
    def https_ca(self) -> Path:
        """Whom the repository's TLS certificate is from."""
        return self._directory / "https-ca.pem"

    # --- tokens

    def url(self, name: str = "good") -> str:
        """The x5u URL of a chain, or of a repository that fails."""
        if name in self._ports:
            return f"https://localhost:{self._ports[name]}/good"
        return self._unknown.url("/good") if name == "unknown-server" else self.repository.url(f"/{name}")

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a good SHAKEN PASSporT made now, with changes; ABSENT leaves a member out."""
        good = {
            "attest": "A",
            "dest": {"tn": [DEST]},
            "iat": int(time.time()),
            "orig": {"tn": ORIG},
            "origid": str(uuid.uuid4()),
        }
        return {name: value for name, value in (good | changes).items() if value is not ABSENT}

    def header(self, name: str = "good", **changes: Any) -> dict[str, Any]:
        """The protected header of a SHAKEN PASSporT whose certificate is behind a URL, with changes."""
        good = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": self.url(name)}
        return {member: value for member, value in (good | changes).items() if value is not ABSENT}

    def key(self, name: str = "good") -> ec.EllipticCurvePrivateKey:
        """The key of a chain; a fresh one where that cannot sign ES256."""
        own = self._chains.get(name, self._chains["good"]).key
        return own if isinstance(own, ec.EllipticCurvePrivateKey) and own.key_size == 256 else new_key()

    def sign(self, header: object, claims: object, name: str = "good") -> str:
        """A token over any two JSON values or octets, signed with the key of a chain."""
        return signed(f"{segment(header)}.{segment(claims)}", self.key(name))

    def parameters(self, name: str = "good", ppt: str = "shaken") -> str:
        """The parameters of an Identity header field."""
        return f";info=<{self.url(name)}>;alg=ES256;ppt={ppt}"

    def token(self, name: str = "good", **claims: Any) -> str:
        """A token with changed claims, correctly signed by the holder of a certificate."""
        return self.sign(self.header(name), self.claims(**claims), name)

    def identity(self, name: str = "good", **claims: Any) -> str:
        """An Identity header row with changed claims, correctly signed by the holder of a certificate."""
        return f"Identity: {self.token(name, **claims)}{self.parameters(name)}"

    def diversion(self, **claims: Any) -> str:
        """An Identity header row with a ``div`` PASSporT: the call for OTHER was sent on to DEST (RFC 8946)."""
        own = self.claims(**{"attest": ABSENT, "origid": ABSENT, "div": {"tn": OTHER}, **claims})
        return f"Identity: {self.sign(self.header(ppt='div'), own)}{self.parameters(ppt='div')}"

    # --- certificates

    def _good(self) -> dict[str, Issued]:
        """Chains that are right, each in its own way."""
        ca, now = self._ca, self.now
        ellipse, rivest = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
        strong = ca.issue_below(ca.root, _AUTHORITY, key=ellipse, common_name="TEST P-384 intermediate")
        rivest_key: Any = rivest  # the root's own key decides the signature below it
        old = ca.issue_below(ca.root, _AUTHORITY, key=rivest_key, common_name="TEST RSA intermediate")
        good = ca.issue()
        return {
            "good": good,
            "second": ca.issue(),
            "with-root": Issued(good.certificate, good.key, (*good.above, ca.root.certificate)),
            "p384-issuer": ca.issue_below(strong),
            "rsa-issuer": ca.issue_below(old),
            "listed-number": ca.issue(Shape(entries=TnAuthList((), (), (TN(ORIG),)))),
            "listed-range": ca.issue(Shape(entries=_MIXED_LIST)),
            "short-lived": ca.issue(Shape(not_before=UnixTime(now - 3600), not_after=UnixTime(now + 600))),
        }

    def _shaped(self) -> dict[str, Issued]:
        """Signing certificates with one thing wrong."""
        ca, now = self._ca, self.now
        shapes = {
            "expired": Shape(not_after=UnixTime(now - 1)),
            "not-yet-valid": Shape(not_before=UnixTime(now + 3600)),
            "begins-now": Shape(not_before=now),
            "another-number": Shape(entries=TnAuthList((), (), (TN(OTHER),))),
            "range-too-short": Shape(entries=TnAuthList(("1234",), (NumberRange(TN(ORIG[:-2] + "00"), 10),))),
            "no-tn-list": Shape(entries=None),
            "empty-tn-list": Shape(tn_auth_list_der=b"\x30\x00"),
            "untagged-tn-list": Shape(tn_auth_list_der=bytes.fromhex("300613043632324b")),
            "an-authority": Shape(authority=True),
            "must-not-sign": Shape(digital_signature=False),
            "unknown-critical": Shape(critical_extension="1.2.3.4"),
            "web-policy": Shape(policy="2.23.140.1.2.1"),
            "sha-224": Shape(digest=hashes.SHA224()),
            "foreign-aki": Shape(authority_key_identifier=b"x" * 20),
            "only-b-and-c": Shape(constraints=ClaimConstraints((), (("attest", frozenset("BC")),))),
            "demands-rcd": Shape(constraints=ClaimConstraints(("rcd",))),
        }
        return {name: ca.issue(shape) for name, shape in shapes.items()}

    def _built_wrong(self) -> dict[str, Issued]:
        """Chains that lead nowhere, or the wrong way."""
        ca, now, good = self._ca, self.now, self._ca.issue()
        day_before = Shape(
            entries=None, authority=True, cert_sign=True,
            not_before=UnixTime(now - 2 * DAY), not_after=UnixTime(now - DAY),
        )  # fmt: skip
        issuers = {
            "expired-intermediate": day_before,
            "issuer-no-authority": Shape(entries=None, cert_sign=True),
            "issuer-must-not-sign": Shape(entries=None, authority=True),
            "wider-than-parent": Shape(entries=TnAuthList((), (), (TN(OTHER),)), authority=True, cert_sign=True),
        }
        built = {
            name: ca.issue_below(
                ca.issue_below(ca.root, shape, common_name=f"TEST {name}"),
                Shape(entries=TnAuthList((), (), (TN(ORIG),))),
            )
            for name, shape in issuers.items()
        }
        deep = ca.issue_below(ca.intermediate, _AUTHORITY, common_name="TEST second intermediate")
        lone_key: Any = ec.generate_private_key(ec.SECP384R1())
        return built | {
            "other-root": StiCa.create(now).issue(),
            "self-signed": StiCa.create(now, root=Shape()).root,
            "no-intermediate": Issued(good.certificate, good.key),
            "wrong-order": Issued(ca.intermediate.certificate, good.key, (good.certificate,)),
            "issued-by-a-leaf": ca.issue_below(good),
            "path-too-long": ca.issue_below(deep),
            "p384-key": ca.issue(key=lone_key),
        }

    def _not_chains(self) -> dict[str, bytes]:
        """What else a repository may serve; ``der`` and ``dressed-up`` are right, whatever they look like."""
        good = self._chains["good"]
        direct = self._chains["direct"] = self._ca.issue_below(self._ca.root)
        self._chains["der"], self._chains["dressed-up"] = direct, good
        return {
            "direct": direct.certificate_pem,
            "der": direct.certificate.public_bytes(Encoding.DER),
            "dressed-up": b"subject=TEST\r\n" + good.chain_pem.replace(b"\n", b"\r\n") + b"-- the end\r\n",
            "web-page": b"<html><body>Not here any more.</body></html>",
            "nothing": b"",
            "half": pem(good.certificate)[:300],
            "huge": good.chain_pem + b"#" * 70_000,
            "many": pem(*[good.certificate] * 11),
        }

    # --- repositories

    def _file(self, name: str, octets: bytes) -> Path:
        path = self._directory / name
        path.write_bytes(octets)
        return path

    def _server_files(self, name: str, server: Issued) -> tuple[Path, Path]:
        return self._file(f"{name}.pem", server.certificate_pem), self._file(f"{name}.key", server.key_pem)

    def _serve_redirects(self, certificate: Path, key: Path, elsewhere: str) -> int:
        """A repository that sends everybody to another, which has the certificate. Returns its port."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", elsewhere)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = self.enter_context(HTTPServer(("127.0.0.1", 0), Handler))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.callback(server.shutdown)
        return server.server_port


def encode(octets: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The octets of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def segment(value: object) -> str:
    """A JSON value, a text or octets as one segment of a token."""
    if isinstance(value, bytes):
        return encode(value)
    return encode((value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))).encode())


def signed(signing_input: str, key: ec.EllipticCurvePrivateKey) -> str:
    """A token over two segments."""
    r, s = decode_dss_signature(key.sign(signing_input.encode("latin-1"), ec.ECDSA(hashes.SHA256())))
    return f"{signing_input}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
