"""What the caller asked of proxies: ``Request-Disposition`` (RFC 3841 §9.1), and ``Supported: 199`` (RFC 6228).

A target after another that failed is no fork: both stand for the one address that was called. A fork is what happens
when branches overlap, so who wants no fork, one after the other, or no branch cancelled for another gets no overlap.
"""

from sipguard.errors import MalformedValue
from sipguard.sip.message import Request

_ONE_AT_A_TIME = frozenset(("no-fork", "sequential", "no-cancel"))


def one_at_a_time(request: Request) -> bool:
    """Whether no two branches may be under way at one time."""
    return request.has("request-disposition") and not _ONE_AT_A_TIME.isdisjoint(_tokens(request, "request-disposition"))


def refuses_recursion(request: Request) -> bool:
    """Whether a 3xx is the caller's own business."""
    return request.has("request-disposition") and "no-recurse" in _tokens(request, "request-disposition")


def hears_of_early_dialogs(request: Request) -> bool:
    """Whether the caller wants to hear which early dialogs are over, and takes what is not reliable (RFC 6228 §6)."""
    return (
        request.has("supported")
        and "199" in _tokens(request, "supported")
        and "100rel" not in _tokens(request, "require")
    )


def _tokens(request: Request, name: str) -> list[str]:
    try:
        return [value.lower() for value in request.listed(name)]
    except MalformedValue:
        return []
