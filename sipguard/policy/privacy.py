"""What a caller asks of Privacy (RFC 3323), and which of its levels are offered here.

``id`` keeps the asserted identity inside the trust domain (RFC 3325), ``user`` makes From anonymous and takes off what
the user agent says of itself, ``history`` makes past targets anonymous (RFC 7044). ``header`` and ``session`` would
take a back-to-back user agent. A level nobody knows is for somebody further on.
"""

import re

from sipguard.sip.message import Message

OFFERED = frozenset(("none", "critical", "id", "user", "history"))

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")


def levels(message: Message) -> list[str]:
    """The priv-values of a message in lower case, of every row, whatever separates them; no token, no value."""
    if not message.has("privacy"):
        return []
    values = ";".join(message.values("privacy")).replace(",", ";").split(";")
    return [value.strip(" \t").lower() for value in values if _TOKEN.fullmatch(value.strip(" \t"))]


def hides_identity(message: Message) -> bool:
    """Whether the asserted identity stays in the trust domain (RFC 3325 §9.3; with ``user`` it is our policy)."""
    wanted = levels(message)
    return "id" in wanted or "user" in wanted
