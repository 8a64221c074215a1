"""Which transaction a message belongs to (RFC 3261 §17.1.3 and §17.2.3).

A request of a client that follows RFC 3261 carries a branch beginning with the magic cookie: branch, sent-by and
method name its transaction, ACK counting as INVITE. Any other branch promises nothing (RFC 2543 clients, or an empty
rest after the cookie), and then the request itself is compared. A response is ours by the branch we made and the
method in CSeq.

Keys are tuples of the strings as received: a retransmission, an ACK or a CANCEL repeats them octet by octet.
"""

from sipguard.sip.message import Request

MAGIC_COOKIE = "z9hG4bK"

ServerKey = tuple[str | int | None, ...]
ClientKey = tuple[str, str]


def follows_rfc3261(branch: str | None) -> bool:
    """Whether a branch is the magic cookie and something after it, hence unique (RFC 3261 §8.1.1.7)."""
    return branch is not None and len(branch) > 7 and branch.startswith(MAGIC_COOKIE)


def server_key(request: Request, method: str) -> ServerKey:
    """The key of the server transaction of ``request``, had it the method ``method``.

    Pass the request's own method, or INVITE to find what a CANCEL is about (§9.2). Raises MalformedValue when a field
    the key is made of doesn't parse.
    """
    via = request.via
    branch = via.branch
    if follows_rfc3261(branch):
        return branch, via.host, via.port, method
    return legacy_key(request, method, request.to.tag)


def legacy_key(request: Request, method: str, to_tag: str | None) -> ServerKey:
    """The key by RFC 2543 rules: Request-URI, tags, Call-ID, CSeq and the whole top Via (RFC 3261 §17.2.3)."""
    return request.uri, to_tag, request.from_.tag, request.call_id, request.cseq.number, str(request.via), method
