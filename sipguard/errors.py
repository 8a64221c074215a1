"""The few exceptions of the house, drawn as a tree.

    SipguardError
    ├── MalformedMessage      a peer sent something that is not SIP; carries the status code to answer with
    ├── MalformedValue        one header field, URI or token does not parse (its reader decides what follows)
    ├── ConfigurationError    the operator's configuration is wrong; carries every problem at once
    ├── CertificateError      a key, certificate or chain cannot be used
    ├── RegistryError         the registry refuses a change or cannot be read
    │   └── DamagedFile       the numbers compiled from it are not what was written
    ├── LedgerError           the attestation log cannot be written or read
    └── StartupError          the proxy cannot start (a taken port, an unreadable file)

A bad call is never an exception: it is a verdict or a decision, which are values.
"""

from typing import NamedTuple


class SipguardError(Exception):
    """Root of everything this package raises on purpose; its text is one line a user can act on."""


class MalformedMessage(SipguardError):
    """Bytes that are not a usable SIP message (RFC 3261 §7).

    ``status`` is the response code to answer a request with, ``phrase`` its reason phrase. ``message`` is whatever
    could still be read, or None when not even a response can be built.
    """

    def __init__(self, status: int, phrase: str, message: object | None = None) -> None:
        super().__init__(f"{status} {phrase}")
        self.status = status
        self.phrase = phrase
        self.message = message


class MalformedValue(SipguardError):
    """One value (a URI, a header field, a token) does not follow its grammar."""


class ForgedToken(SipguardError):
    """A token that should be ours was not written by us, or was changed."""


class Problem(NamedTuple):
    """One configuration error: the dotted key it concerns and what is wrong with it."""

    key: str
    message: str


class ConfigurationError(SipguardError):
    """Everything that is wrong with a configuration, reported together."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.key}: {problem.message}" for problem in problems))
        self.problems = problems


class CertificateError(SipguardError):
    """A key, a certificate or a chain that cannot be used, and why."""


class RegistryError(SipguardError):
    """The registry refuses a change, or cannot be opened."""


class DamagedFile(RegistryError):
    """A compiled directory holds other octets than were written: nothing in it can be relied on."""


class LedgerError(SipguardError):
    """The attestation log cannot be written or read."""


class StartupError(SipguardError):
    """The proxy cannot start."""
