"""The canonical form of header and payload: one text for one token (RFC 8225 §9).

Members sorted, no white space, the least escaping, UTF-8 as it is (PPT-01, PPT-10). Signers write tokens in it, and the
compact form can only be verified because both sides write the same.
"""

import json
from collections.abc import Iterable, Sequence

from sipguard.stir.media_key import Fingerprint, to_claim


def protected_header(url: str, ppt: str | None) -> str:
    """The canonical protected header of a token."""
    kind = "" if ppt is None else f'"ppt":"{ppt}",'
    return f'{{"alg":"ES256",{kind}"typ":"passport","x5u":"{url}"}}'


def base_payload(orig: str, dest: Sequence[str], iat: int, keys: Iterable[Fingerprint]) -> str:
    """The canonical payload of a base PASSporT. Identities are canonical numbers or normalised URIs."""
    media_keys = f'"mky":{to_claim(keys)},' if keys else ""
    return f'{{"dest":{destinations(dest)},"iat":{iat},{media_keys}"orig":{identity(orig)}}}'


def identity(of: str) -> str:
    """One identity as the object that ``orig`` and ``div`` are."""
    return f'{{"uri":{text(of)}}}' if ":" in of else f'{{"tn":"{of}"}}'


def destinations(dest: Iterable[str]) -> str:
    """Identities as the object that ``dest`` is: numbers before URIs, each kind sorted (PPT-05)."""
    kinds = []
    for kind, uri in (("tn", False), ("uri", True)):
        members = sorted(of for of in set(dest) if (":" in of) is uri)
        if members:
            kinds.append(f'"{kind}":[{",".join(text(member) for member in members)}]')
    return "{" + ",".join(kinds) + "}"


def text(value: str) -> str:
    """A JSON string with the least escaping, UTF-8 as it is (PPT-01, PPT-10)."""
    return json.dumps(value, ensure_ascii=False)


def canonical(value: object) -> bytes:
    """Any JSON value in canonical form."""
    rendered = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return rendered.encode("utf-8", "surrogatepass")
