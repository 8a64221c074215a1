"""Where a signing key is: file names and RFC 7512 URIs."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from sipguard.config.pkcs11_uri import HardwareKey
from sipguard.config.stir import SigningCertificate

WHERE = "?module-path=/usr/lib/module.so&pin-source=file:/etc/pin"


def key_of(text: object) -> Path | HardwareKey:
    """The key as the configuration has it."""
    values = {"certificate": "leaf.pem", "key": text, "url": "https://certificates.example/leaf.pem"}
    return SigningCertificate.model_validate(values, context={"directory": Path("/srv")}).key


def test_a_file() -> None:
    """Anything else is the name of a PEM file beside the configuration."""
    assert key_of("leaf.key") == Path("/srv/leaf.key")
    assert key_of(" /etc/leaf.key ") == Path("/etc/leaf.key")


@pytest.mark.clause("RFC 7512 2.3")
def test_a_key_in_a_token() -> None:
    """Token, serial, object and id are unescaped; paths may be relative or file URIs."""
    assert key_of(f"pkcs11:token=My%20token;object=shaken%3B1;type=private{WHERE}") == HardwareKey(
        Path("/usr/lib/module.so"), Path("/etc/pin"), "My token", None, "shaken;1", None
    )
    found = key_of("pkcs11:serial=0123;id=%01%FF?pin-source=pin&module-path=file:///usr/lib/m.so")
    assert found == HardwareKey(Path("/usr/lib/m.so"), Path("/srv/pin"), None, b"0123", None, b"\x01\xff")
    assert str(found) == "key '01ff' of token '0123'"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pkcs11:", "names no token"),
        (f"pkcs11:object=x{WHERE}", "names no token"),
        (f"pkcs11:token=x{WHERE}", "names no key"),
        ("pkcs11:token=x;object=y", "module-path"),
        ("pkcs11:token=x;object=y?module-path=/m.so", "pin-source"),
        (f"pkcs11:token=x;object=y;pin-source=file:/pin{WHERE}", 'after the "?"'),
        (f"pkcs11:token=x{WHERE}&object=y", 'before the "?"'),
        (f"pkcs11:token=x;object=y{WHERE}&pin-value=1234", "must not stand"),
        (f"pkcs11:token=x;object=y;type=cert{WHERE}", "type=private"),
        (f"pkcs11:token=x;token=z;object=y{WHERE}", "twice"),
        (f"pkcs11:token=x;object=y;colour=red{WHERE}", "colour"),
        (f"pkcs11:token;object=y{WHERE}", "no attribute"),
        (7, "PEM file or a pkcs11"),
    ],
)
def test_what_is_wrong_with_a_uri(text: object, why: str) -> None:
    """One sentence, and never the PIN."""
    with pytest.raises(ValidationError) as caught:
        key_of(text)
    assert why in caught.value.errors()[0]["msg"]
    assert "1234" not in caught.value.errors()[0]["msg"]


@pytest.mark.clause("AS-16")
def test_a_url_with_the_serial_number() -> None:
    """{serial} in a URL is no mistake; other braces are."""
    for url, good in (("https://c.example/{serial}.pem", True), ("https://c.example/{name}.pem", False)):
        values = {"certificate": "leaf.pem", "key": "leaf.key", "url": url}
        if good:
            assert SigningCertificate.model_validate(values).url == url
        else:
            with pytest.raises(ValidationError):
                SigningCertificate.model_validate(values)
