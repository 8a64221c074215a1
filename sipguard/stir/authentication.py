"""The authentication service: one signer per certificate, made to sign fast (RFC 8224 §6.1, RFC 8588).

Everything that does not change from call to call - the protected header, the parameters - is prepared when the signer
is loaded. A signature is a format string for the payload (canonical by construction: members in order, no white
space, PPT-01), one ECDSA operation with a deterministic nonce (RFC 6979, AS-27), and two base64url encodings.
"""

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sipguard.errors import CertificateError
from sipguard.stir import base64url
from sipguard.stir.certificate import UNREADABLE, check_leaf, load_chain, read_tn_auth_list, validity
from sipguard.stir.passport import Fault
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.x5u import locate

_ES256: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_HEADER = '{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"%s"}'
_PAYLOAD = '{"attest":"%s","dest":{"tn":["%s"]},"iat":%d,"orig":{"tn":"%s"},"origid":"%s"}'


class Signer:
    """A key, its certificate and the URL others find it at. The key never leaves this object (AS-29)."""

    __slots__ = ("_key", "_prefix", "_suffix", "chain", "name", "not_after", "not_before", "tn_auth_list", "url")

    def __init__(
        self, name: str, key: ec.EllipticCurvePrivateKey, chain: tuple[x509.Certificate, ...], url: str
    ) -> None:
        """``chain``: leaf first. Use ``load_signer``, which checks that the parts belong together."""
        self.name = name
        self.chain = chain
        self.url = url
        self.tn_auth_list: TnAuthList = read_tn_auth_list(chain[0])
        spans = [validity(certificate) for certificate in chain]
        self.not_before = max(start for start, _ in spans)
        self.not_after = min(end for _, end in spans)
        self._key = key
        self._prefix = base64url.encode((_HEADER % url).encode("ascii")) + "."
        self._suffix = f";info=<{url}>;alg=ES256;ppt=shaken"

    @property
    def spc(self) -> str | None:
        """The first service provider code of the certificate."""
        codes = self.tn_auth_list.service_provider_codes
        return codes[0] if codes else None

    def valid_at(self, moment: UnixTime) -> bool:
        """Whether every certificate of the chain is valid at a moment; outside that span nothing is signed (AS-05)."""
        return self.not_before <= moment <= self.not_after

    def sign_shaken(self, orig: TN, dest: Sequence[TN], attest: str, origid: str, iat: UnixTime) -> str:
        """A full-form SHAKEN Identity header field value.

        ``orig`` is the asserted number, ``dest`` the numbers of To (at least one), ``attest`` A, B or C, ``origid`` a
        UUID, ``iat`` the time of the Date header field or now.
        """
        numbers = dest[0] if len(dest) == 1 else '","'.join(sorted(dest))
        payload = _PAYLOAD % (attest, numbers, iat, orig, origid)
        signing_input = self._prefix + base64url.encode(payload.encode("ascii"))
        r, s = decode_dss_signature(self._key.sign(signing_input.encode("ascii"), _ES256))
        signature = base64url.encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        return f"{signing_input}.{signature}{self._suffix}"


def load_signer(name: str, certificate_pem: bytes, key_pem: bytes, url: str, now: UnixTime) -> Signer:
    """A signer from PEM files; raises CertificateError, in one line, when they cannot sign.

    The certificate (leaf first, the chain after it) must hold a TNAuthList and a P-256 key, match the key and be valid
    at ``now``; the URL must be one that verifiers accept.
    """
    where = f"certificate {name!r}"
    location = locate(url)
    if isinstance(location, str):
        raise CertificateError(f"{where}: {location}: {url}")
    try:
        chain = load_chain(certificate_pem)
        key = load_pem_private_key(key_pem, password=None)
    except Fault as fault:
        raise CertificateError(f"{where}: {fault}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError(f"{where}: the key is not an unencrypted PEM private key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateError(f"{where}: the key is not P-256")
    try:
        belongs = key.public_key() == check_leaf(chain[0])
        signer = Signer(name, key, chain, url)
    except Fault as fault:
        raise CertificateError(f"{where}: {fault}") from None
    except UNREADABLE:
        raise CertificateError(f"{where}: a certificate of the chain cannot be read") from None
    if not belongs:
        raise CertificateError(f"{where}: the key does not belong to the certificate")
    if not signer.valid_at(now):
        problem = "not yet valid" if now < signer.not_before else "expired"
        raise CertificateError(f"{where}: a certificate of the chain is {problem}")
    return signer
