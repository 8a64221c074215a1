"""``Need``: the one asynchronous seam. A fact that is missing is asked for by value; the chain parks until the answer.

Equal needs are asked once (they are hashable values); the engine bounds every wait, and "could not find out" is an
answer too. See ``docs/adr/0002-need-instead-of-await.md``.
"""

from typing import NamedTuple


class CertificateNeed(NamedTuple):
    """The certificate chain behind an x5u URL, fetched into the certificate cache. Answered by ``Answer``."""

    url: str


class TargetNeed(NamedTuple):
    """The servers behind a host name (RFC 3263 §4). Answered by ``TargetAnswer``.

    ``transport`` and ``port`` are None when the URI leaves them to the name; ``sips`` is whether only TLS will do.
    """

    host: str
    port: int | None = None
    transport: str | None = None
    sips: bool = False


class CommitNeed(NamedTuple):
    """An attestation record that must be durable before its call goes on. Answered by ``Answer``.

    ``line`` is the encoded record without the hash-chain members, which the ledger adds.
    """

    identifier: str
    line: bytes


Need = CertificateNeed | TargetNeed | CommitNeed


class Answer(NamedTuple):
    """How a need ended: met, or not and why."""

    met: bool
    detail: str = ""


class Server(NamedTuple):
    """Where a request can be sent to: ``host`` is an address, IPv6 without brackets."""

    transport: str
    host: str
    port: int


class TargetAnswer(NamedTuple):
    """The servers found for a name, in the order to try them; none when the name has no service."""

    servers: tuple[Server, ...]
    detail: str = ""
