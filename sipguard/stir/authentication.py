"""The authentication service: one signer per certificate, made to sign fast (RFC 8224 §6.1, RFC 8588).

Everything that does not change from call to call - the protected header, the parameters - is prepared when the signer
is loaded. A signature is a format string for the payload (canonical by construction: members in order, no white
space, PPT-01), one ECDSA operation, and two base64url encodings.

Two calls between the same numbers in one second ask for the very same claims when their origid is the account's. With
a derived nonce (AS-27) their tokens would be equal to the octet, and a verifier that remembers tokens would take the
second call for a replay. So a signer remembers the latest claims it signed, and signs a repetition afresh.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from cryptography import x509

from sipguard.errors import CertificateError
from sipguard.stir import base64url
from sipguard.stir.canonical_form import destinations
from sipguard.stir.certificate import (
    UNREADABLE,
    check_leaf,
    load_chain,
    read_claim_constraints,
    read_tn_auth_list,
    validity,
)
from sipguard.stir.certification_path import check_delegation
from sipguard.stir.media_key import Fingerprint, to_claim
from sipguard.stir.passport import Fault
from sipguard.stir.signing_key import SigningKey, read_key
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.x5u import locate

SERIAL = "{serial}"  # in a configured URL: replaced by the certificate's serial number, as openssl prints it (AS-16)
_HEADER = '{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"%s"}'
_PAYLOAD = '{"attest":"%s","dest":%s,"iat":%d,%s"orig":{"tn":"%s"},"origid":"%s"}'
_REMEMBERED: Final = 5_000  # payloads, and as many of before; far more than one second brings


class Signer:
    """A key, its certificate and the URL others find it at. The key never leaves this object (AS-29)."""

    __slots__ = (
        "_before",
        "_key",
        "_lately",
        "_prefix",
        "_suffix",
        "chain",
        "constraints",
        "issued",
        "name",
        "not_after",
        "not_before",
        "tn_auth_list",
        "url",
    )

    def __init__(self, name: str, key: SigningKey, chain: tuple[x509.Certificate, ...], url: str) -> None:
        """``chain``: leaf first. Use ``load_signer``, which checks that the parts belong together."""
        self.name = name
        self.chain = chain
        self.url = url
        self.tn_auth_list: TnAuthList = read_tn_auth_list(chain[0])
        self.constraints = read_claim_constraints(chain[0])
        spans = [validity(certificate) for certificate in chain]
        self.issued = spans[0][0]
        self.not_before = max(start for start, _ in spans)
        self.not_after = min(end for _, end in spans)
        self._key = key
        self._prefix = base64url.encode((_HEADER % url).encode("ascii")) + "."
        self._suffix = f";info=<{url}>;alg=ES256;ppt=shaken"
        self._lately: set[str] = set()
        self._before: set[str] = set()

    @property
    def spc(self) -> str | None:
        """The first service provider code of the certificate."""
        codes = self.tn_auth_list.service_provider_codes
        return codes[0] if codes else None

    @property
    def serial(self) -> str:
        """The serial number of the certificate in hexadecimal: which generation this is."""
        return serial_of(self.chain[0])

    def is_made_of(self, certificate_pem: bytes, key: SigningKey, url: str) -> bool:
        """Whether these parts, as ``load_generation`` takes them, would make this very signer again."""
        try:
            chain = load_chain(certificate_pem)
        except Fault:
            return False
        return chain == self.chain and key == self._key and url.replace(SERIAL, self.serial) == self.url

    def valid_at(self, moment: UnixTime) -> bool:
        """Whether every certificate of the chain is valid at a moment; outside that span nothing is signed (AS-05)."""
        return self.not_before <= moment <= self.not_after

    def sign_shaken(
        self,
        orig: TN,
        dest: Sequence[str],
        attest: str,
        origid: str,
        iat: UnixTime,
        media_keys: Sequence[Fingerprint] = (),
    ) -> str:
        """A full-form SHAKEN Identity header field value.

        ``orig`` is the asserted number, ``dest`` what To names (numbers, or a service URN), ``attest`` A, B or C,
        ``origid`` a UUID, ``iat`` the time of the Date header field or now, ``media_keys`` the SDP's (AS-13).
        Raises whatever the key raises when it is out of reach, and CertificateError for claims that the certificate
        does not let its holder make.
        """
        called = destinations(dest) if len(dest) > 1 or ":" in dest[0] else f'{{"tn":["{dest[0]}"]}}'
        keys = f'"mky":{to_claim(media_keys)},' if media_keys else ""
        payload = _PAYLOAD % (attest, called, iat, keys, orig, origid)
        if self.constraints is not None:
            self._check(json.loads(payload))
        signing_input = self._prefix + base64url.encode(payload.encode("ascii"))
        repeated = self._is_repeated(payload)
        signature = base64url.encode(self._key.sign(signing_input.encode("ascii"), fresh=repeated))
        return f"{signing_input}.{signature}{self._suffix}"

    def signature(self, signing_input: str) -> str:
        """The signature part of a token of any other kind, in base64url; ``signing_input`` is its first two parts.

        Raises as ``sign_shaken`` does.
        """
        if self.constraints is not None:
            self._check(json.loads(base64url.decode(signing_input.partition(".")[2])))
        repeated = self._is_repeated(signing_input)
        return base64url.encode(self._key.sign(signing_input.encode("ascii"), fresh=repeated))

    def covers(self, tn: TN) -> bool:
        """Whether the certificate lets its holder sign for a number: named, or none are named at all (CRT-03)."""
        return not self.tn_auth_list.lists_numbers or self.tn_auth_list.covers(tn)

    def _check(self, claims: dict[str, Any]) -> None:
        """That the certificate lets its holder claim this (RFC 8226 §8)."""
        violation = None if self.constraints is None else self.constraints.violation(claims)
        if violation is not None:
            raise CertificateError(violation)

    def _is_repeated(self, payload: str) -> bool:
        if payload in self._lately or payload in self._before:
            return True
        if len(self._lately) >= _REMEMBERED:
            self._before, self._lately = self._lately, set()
        self._lately.add(payload)
        return False


def serial_of(certificate: x509.Certificate) -> str:
    """A serial number as ``openssl x509 -serial`` prints it: upper-case hexadecimal, whole octets."""
    text = f"{certificate.serial_number:X}"
    return text if len(text) % 2 == 0 else f"0{text}"


def load_signer(name: str, certificate_pem: bytes, key: bytes | SigningKey, url: str, now: UnixTime) -> Signer:
    """``load_generation``, and the certificate must be valid at ``now``. Raises CertificateError in one line."""
    signer = load_generation(name, certificate_pem, key, url)
    if not signer.valid_at(now):
        problem = "not yet valid" if now < signer.not_before else "expired"
        raise CertificateError(f"certificate {name!r}: a certificate of the chain is {problem}")
    return signer


def load_generation(name: str, certificate_pem: bytes, key: bytes | SigningKey, url: str) -> Signer:
    """A signer of a PEM chain and a key: PEM octets, or one that lives elsewhere. Raises CertificateError in one line.

    The certificate (leaf first, the chain after it) must hold a TNAuthList and a P-256 key, match the key, and lie
    within its parent where it is a delegate; the URL must be one that verifiers accept. ``{serial}`` in the URL stands
    for the certificate's serial number.
    """
    where = f"certificate {name!r}"
    try:
        chain = load_chain(certificate_pem)
        url = url.replace(SERIAL, serial_of(chain[0]))
        location = locate(url)
        if isinstance(location, str):
            raise CertificateError(f"{location}: {url}")
        signing_key = read_key(key) if isinstance(key, bytes) else key
        if not signing_key.belongs_to(check_leaf(chain[0])):
            raise CertificateError("the key does not belong to the certificate")
        check_delegation(chain)
        return Signer(name, signing_key, chain, url)
    except (Fault, CertificateError) as problem:
        raise CertificateError(f"{where}: {problem}") from None
    except UNREADABLE:
        raise CertificateError(f"{where}: a certificate of the chain cannot be read") from None
