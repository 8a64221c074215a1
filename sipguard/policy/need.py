"""``Need``: the one asynchronous seam. A fact that is missing is asked for by value; the chain parks until the answer.

Equal needs are asked once (they are hashable values); the engine bounds every wait, and "could not find out" is an
answer too. See ``docs/adr/0002-need-instead-of-await.md``.
"""

from typing import NamedTuple


class CertificateNeed(NamedTuple):
    """The certificate chain behind an x5u URL, fetched into the certificate cache. Answered by ``Answer``."""

    url: str


class AddressNeed(NamedTuple):
    """The addresses of a host name (A and AAAA). Answered by ``AddressAnswer``."""

    host: str


class CommitNeed(NamedTuple):
    """An attestation record that must be durable before its call goes on. Answered by ``Answer``.

    ``line`` is the encoded record without the hash-chain members, which the ledger adds.
    """

    identifier: str
    line: bytes


Need = CertificateNeed | AddressNeed | CommitNeed


class Answer(NamedTuple):
    """How a need ended: met, or not and why."""

    met: bool
    detail: str = ""


class AddressAnswer(NamedTuple):
    """The addresses found for a host name, best first; empty when it does not resolve."""

    addresses: tuple[str, ...]
    detail: str = ""
