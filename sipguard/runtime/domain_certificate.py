"""Who a TLS peer is: the SIP domain identities in its certificate (RFC 5922 §7.1), after OpenSSL has validated it.

The certificate comes as the ``ssl`` module decodes it. SIP knows fewer kinds of names than the web: no wildcards, no
addresses, and a common name only where there is no subjectAltName at all.
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sipguard.config.address import is_host_name
from sipguard.errors import MalformedValue
from sipguard.sip.uri import SipUri, parse_uri


def peer_identities(encrypted: ssl.SSLObject | None) -> tuple[str, ...]:
    """Whom the peer of a finished handshake has proved to be; nobody when it showed no certificate."""
    certificate = None if encrypted is None else encrypted.getpeercert()
    return identities(certificate) if certificate else ()


def identities(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """The identities, in lower case: those of sip URIs if there are any, else DNS names, else the subject's."""
    alternatives: Sequence[tuple[str, str]] | None = certificate.get("subjectAltName")
    if alternatives is None:
        found = [name for name in _common_names(certificate) if is_host_name(name)]
    else:
        found = [host for kind, text in alternatives if kind == "URI" and (host := _domain(text))]
        found = found or [text for kind, text in alternatives if kind == "DNS"]
    return tuple(dict.fromkeys(name.lower().rstrip(".") for name in found))


def matches(wanted: Sequence[str], proved: Sequence[str]) -> bool:
    """Whether a wanted identity was proved: whole names, never a suffix, never a wildcard (RFC 5922 §7.2)."""
    return any(name in proved for name in wanted)


def _domain(text: str) -> str | None:
    """The host of a sip URI that names a domain; one with a user names a person, and sips is not accepted."""
    try:
        uri = parse_uri(text)
    except MalformedValue:
        return None
    return uri.host if isinstance(uri, SipUri) and uri.scheme == "sip" and uri.user is None else None


def _common_names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for relative in certificate.get("subject", ()):
        for kind, text in relative:
            if kind == "commonName":
                yield text
