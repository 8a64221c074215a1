"""Making the request that leaves (RFC 3261 §16.6): a fork, edited by splicing, with our Via on top.

Everything nobody had to change keeps its octets. The steps are the RFC's, each one function.
"""

import re

from sipguard.policy.trunk import Target
from sipguard.proxy.validation import MAX_MAX_FORWARDS, is_sips
from sipguard.sip.flow import WEBSOCKET, Listener
from sipguard.sip.message import Message, Request
from sipguard.sip.uri import SIP_PORT, TLS_PORT, SipUri, TelUri, Uri

MAX_BREADTH = 60  # RFC 5393 §5.3.3: what a request may branch into unless it says less
DIALOG_FORMING = frozenset(("INVITE", "SUBSCRIBE", "REFER", "NOTIFY"))
NO_FLOWS = ("", "")
_OURS = frozenset(("transport", "maddr", "ttl", "method"))  # they belonged to the hop before (PRX-04, PRX-11)
# A number that was checked is followed by nothing that says it is another one, or that the call goes elsewhere.
_OTHER_NUMBERS = frozenset((
    "phone-context", "rn", "rn-context", "cic", "cic-context", "npdi", "verstat", "tgrp", "trunk-context",
))  # fmt: skip
_TEL_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9\-]*(?:=[A-Za-z0-9\-._+]*)?")


def decrement_hops(fork: Request) -> None:
    """Max-Forwards, one less, or 70 when there was none (RFC 3261 §16.6 (3))."""
    value = fork.value("max-forwards")
    if value is None:
        fork.append("max-forwards", "70")
    else:
        left = min(int(value), MAX_MAX_FORWARDS) - 1
        fork.set_row("max-forwards", f"Max-Forwards: {left}")


def breadth(request: Request) -> int:
    """Into how many branches at once a request may be made (RFC 5393 §5.3.3)."""
    value = request.value("max-breadth")
    if value is None or not (value.isascii() and value.isdigit()):
        return MAX_BREADTH
    digits = value.lstrip("0")
    return MAX_BREADTH if len(digits) > 2 else min(int(digits or "0"), MAX_BREADTH)


def limit_breadth(fork: Request, share: int) -> None:
    """Max-Breadth of one branch, in a single row."""
    fork.set("max-breadth", str(share))


def retargeted(uri: Uri, target: Target, number: str | None) -> str:
    """The Request-URI towards a target: the same user, or ``number`` in its place, at the target's host (§16.6 (2)).

    Headers of the old URI are dropped, so they can never become header fields (MSG-15). sip stays sip also over TLS,
    and sips stays sips (TRN-11); ``delivery`` sends a sips URI elsewhere than over TLS in an emergency only.
    """
    host = f"[{target.host}]" if ":" in target.host else target.host
    scheme = uri.scheme if isinstance(uri, SipUri) and target.transport in (None, "tls") else "sip"
    default = TLS_PORT if scheme == "sips" else SIP_PORT
    place = host if target.port in (None, default) else f"{host}:{target.port}"
    transport = ";transport=tcp" if target.transport == "tcp" else ""  # never tls (RFC 5630 §5.3)
    if isinstance(uri, TelUri):
        return f"sip:{number or uri.number}@{place};user=phone{transport}"
    if not isinstance(uri, SipUri):
        return uri.text  # a service URN stays in the Request-URI (EMG-02)
    user = uri.user or ""
    if number is not None:
        user = number + "".join(map(_harmless, user[len(uri.user_number) :].split(";")[1:]))
    parameters = "".join(
        f";{name}" if value is None else f";{name}={value}"
        for name, value in uri.parameters.items()
        if name not in _OURS
    )
    return f"{scheme}:{user}@{place}{parameters}{transport}" if user else f"{scheme}:{place}{transport}"


def _harmless(parameter: str) -> str:
    """A tel parameter in the user part as it goes on; "" when it could be read as part of another number."""
    known = _TEL_PARAMETER.fullmatch(parameter) and parameter.partition("=")[0].lower() not in _OTHER_NUMBERS
    return f";{parameter}" if known else ""


def record_route(
    fork: Request, ingress: Listener, egress: Listener, token: str, flows: tuple[str, str] = NO_FLOWS
) -> int:
    """Put ourselves on the route of the dialog; twice when the two sides use different listeners (PRX-08, PRX-09).

    ``flows`` are the flow tokens of the two sides, empty for one that can be dialled; with one, each has its value.
    The URI is sips when the Request-URI is (RFC 3261 §16.6 (4)), and only then. Returns how many values that took.
    """
    secure = is_sips(fork.uri)
    fork.prepend("record-route", _route_value(ingress, token, secure, flows[0]))
    if egress is ingress and flows is NO_FLOWS:
        return 1
    fork.prepend("record-route", _route_value(egress, token, secure, flows[1]))
    return 2


def _route_value(listener: Listener, token: str, secure: bool, flow: str) -> str:
    scheme = "sip"
    transport = ""
    if listener.transport == "tls":
        if secure:
            scheme = "sips"
        elif listener.parameter:
            transport = ";transport=tls"
    elif listener.transport in WEBSOCKET:
        scheme = "sips" if secure and listener.transport == "wss" else scheme
        transport = ";transport=ws"  # of both kinds (RFC 7118 §5.2.2)
    elif listener.transport != "udp":
        transport = f";transport={listener.transport}"
    user = f"{flow}@" if flow else ""
    return f"<{scheme}:{user}{listener.advertised_host}:{listener.advertised_port}{transport};lr;dialog={token}>"


def push_via(fork: Request, egress: Listener, entropy: str, offer: str = "") -> str:
    """Our Via on top, with a branch no other client transaction has; returns the branch (RFC 3261 §16.6 (8)).

    ``offer`` is further parameters, for a server that may say how much it wants.
    """
    branch = f"z9hG4bK{entropy}"
    place = f"{egress.advertised_host}:{egress.advertised_port}"
    # Over TLS, where both sides proved who they are, requests may come back on the connection (RFC 5923 §8.1).
    alias = ";alias" if egress.transport == "tls" else ""
    fork.prepend("via", f"SIP/2.0/{egress.transport.upper()} {place};branch={branch};rport{alias}{offer}")
    return branch


def frame(fork: Message) -> None:
    """Content-Length for a stream, spelled so that nobody can lose the framing (RFC 3261 §16.6 (10))."""
    length = str(len(fork.body))
    if not fork.has("content-length"):
        fork.append("content-length", length)
    elif fork.first["content-length"] not in (f"Content-Length: {length}", f"l: {length}"):
        fork.set("content-length", length)
