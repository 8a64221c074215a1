"""PASSporTs of every other type than SHAKEN, written and signed: base, ``div``, ``rph``, ``rcd`` (RFC 8224 §4).

All are canonical (RFC 8225 §9) and in full form; only a base PASSporT may be compact, because only its claims can be
found in the request again (RFC 8225 §7). Identities are canonical numbers or normalised URIs. Whether the signer has a
right to what it signs is decided before (``diversion.passports_for_retarget`` for ``div``, policy for the rest). Every
function raises whatever the key raises when it is out of reach.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sipguard.errors import MalformedValue
from sipguard.stir import base64url
from sipguard.stir.authentication import Signer
from sipguard.stir.canonical_form import base_payload, canonical, destinations, identity, protected_header, text
from sipguard.stir.media_key import Fingerprint
from sipguard.stir.rich_call_data import digests
from sipguard.stir.unix_time import UnixTime

_CALLBACK = "psap-callback"


def sign_base(
    signer: Signer,
    orig: str,
    dest: Sequence[str],
    iat: UnixTime,
    media_keys: Sequence[Fingerprint] = (),
    *,
    compact: bool = False,
) -> str:
    """A base PASSporT. In compact form ``iat`` must be the request's Date, which the verifier reads it from."""
    token = _token(signer, None, base_payload(orig, dest, iat, media_keys))
    if compact:
        token = ".." + token.rpartition(".")[2]
    return f"{token};info=<{signer.url}>;alg=ES256"


def sign_div(
    signer: Signer, orig: str, dest: Sequence[str], div: str, iat: UnixTime, history_index: str | None = None
) -> str:
    """A diversion from ``div`` to ``dest`` (RFC 8946 §3); ``history_index`` is that of History-Info (§8)."""
    diverted = identity(div)
    if history_index is not None:
        diverted = f'{{"hi":{text(history_index)},{diverted[1:]}'
    payload = f'{{"dest":{destinations(dest)},"div":{diverted},"iat":{iat},"orig":{identity(orig)}}}'
    return _field(signer, "div", payload)


def sign_rph(
    signer: Signer, orig: str, dest: Sequence[str], auth: Sequence[str], iat: UnixTime, *, callback: bool = False
) -> str:
    """An authorisation of Resource-Priority values (RFC 8443 §3), and of a PSAP call-back (RFC 9027 §4).

    Raises MalformedValue for a call-back without a value of the namespace esnet.
    """
    values = sorted({value.lower() for value in auth})
    if callback and not any(value.startswith("esnet.") for value in values):
        raise MalformedValue("a call-back needs an emergency priority")
    sph = f',"sph":"{_CALLBACK}"' if callback else ""
    payload = (
        f'{{"dest":{destinations(dest)},"iat":{iat},"orig":{identity(orig)},'
        f'"rph":{{"auth":[{",".join(map(text, values))}]}}{sph}}}'
    )
    return _field(signer, "rph", payload)


def sign_rcd(
    signer: Signer,
    orig: str,
    dest: Sequence[str],
    iat: UnixTime,
    rcd: Mapping[str, Any],
    reason: str | None = None,
    linked: Mapping[str, bytes] | None = None,
) -> str:
    """Rich call data (RFC 9795): ``rcd`` with ``nam``, ``reason`` as ``crn``, and digests over all of it.

    ``linked`` holds the octets behind the URLs in ``rcd``, by JSON pointer ("/icn", "/jcl"), for their digests. Raises
    MalformedValue without ``nam``, or with both ``jcd`` and ``jcl``.
    """
    if not isinstance(rcd.get("nam"), str):
        raise MalformedValue("rich call data needs nam")
    if "jcd" in rcd and "jcl" in rcd:
        raise MalformedValue("jcd and jcl exclude each other")
    crn = "" if reason is None else f'"crn":{text(reason)},'
    payload = (
        f'{{{crn}"dest":{destinations(dest)},"iat":{iat},"orig":{identity(orig)},'
        f'"rcd":{canonical(dict(rcd)).decode()},"rcdi":{canonical(digests(rcd, linked)).decode()}}}'
    )
    return _field(signer, "rcd", payload)


def _field(signer: Signer, ppt: str, payload: str) -> str:
    return f"{_token(signer, ppt, payload)};info=<{signer.url}>;alg=ES256;ppt={ppt}"


def _token(signer: Signer, ppt: str | None, payload: str) -> str:
    header = protected_header(signer.url, ppt)
    signing_input = f"{base64url.encode(header.encode())}.{base64url.encode(payload.encode())}"
    return f"{signing_input}.{signer.signature(signing_input)}"
