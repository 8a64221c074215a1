"""What it takes to say BYE in a dialog for its parties: kept of calls only where policy may end them.

For each side a ``Leg`` is what that party itself would write (RFC 3261 §12.2.1.1): remote target, what is left of its
route set from us on, From and To. Numbers of requests are kept by tag from the INVITE on, for a BYE needs a higher one.
Targets follow re-INVITE and UPDATE, and the 2xx to them (§12.2).
"""

from contextlib import suppress
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.proxy.active_calls import ActiveCall, ActiveCalls
from sipguard.proxy.identity import ProxyIdentity
from sipguard.sip.address import Address, format_address, parse_address
from sipguard.sip.flow import Flow
from sipguard.sip.message import Message, Request, Response
from sipguard.sip.uri import SipUri, parse_uri

REFRESHING = frozenset(("INVITE", "UPDATE"))


class Leg:
    """One party's side: ``target`` is where its requests lead, ``flow`` where they come from."""

    __slots__ = ("flow", "from_", "routes", "target", "to")

    def __init__(self, flow: Flow, target: str, routes: list[str], from_: str, to: str) -> None:
        self.flow = flow
        self.target = target
        self.routes = routes
        self.from_ = from_
        self.to = to


class Pair(NamedTuple):
    """Both legs of one dialog."""

    caller: Leg
    called: Leg


class KeptDialogs:
    """Those of one call, by the tag of who was called."""

    __slots__ = ("_caller_tag", "numbers", "pairs")

    def __init__(self, invite: Request) -> None:
        self._caller_tag = invite.from_.tag or ""
        self.numbers: dict[str, int] = {self._caller_tag: invite.cseq.number}
        self.pairs: dict[str, Pair] = {}

    def answered(self, call: ActiveCall, invite: Request, flow: Flow, response: Response, there: Flow,
                 ours: range) -> None:  # fmt: skip
        """A 2xx: one more dialog. ``ours`` are the places of our own values in its Record-Route.

        Raises MalformedValue. Without a Contact on both sides nobody could say BYE.
        """
        tag = response.to.tag
        if tag is None or tag in self.pairs or call.caller is None or call.called is None:
            return
        routes = response.listed("record-route")
        caller = Leg(
            flow, target_of(response), routes[ours.stop - 1 :: -1] if ours else [],
            invite.required("from"), response.required("to"),
        )  # fmt: skip
        own, shown = call.called.own, call.caller.shown
        called = Leg(
            there, target_of(invite), routes[ours.start :] if ours else [],
            format_address(Address(own.display, own.uri, {"tag": tag})),
            format_address(Address(shown.display, shown.uri, {"tag": self._caller_tag})),
        )  # fmt: skip
        self.pairs[tag] = Pair(caller, called)

    def heard(self, request: Request) -> None:
        """A request inside one of the dialogs; who says unreadably where it is now is taken to be where it was."""
        tag = request.from_.tag or ""
        self.numbers[tag] = max(self.numbers.get(tag, 0), request.cseq.number)
        if request.method in REFRESHING:
            with suppress(MalformedValue):
                self._moved(request, tag, request.to.tag or "")

    def refreshed(self, response: Response) -> None:
        """A 2xx to a re-INVITE or UPDATE. Raises MalformedValue."""
        self._moved(response, response.to.tag or "", response.from_.tag or "")

    def _moved(self, message: Message, own_tag: str, peer_tag: str) -> None:
        """The party with the first tag says where it is now."""
        by_caller = own_tag == self._caller_tag
        pair = self.pairs.get(peer_tag if by_caller else own_tag)
        if pair is not None and message.has("contact"):
            (pair.called if by_caller else pair.caller).target = target_of(message)


def own_values(response: Response, identity: ProxyIdentity, calls: ActiveCalls, identifier: str) -> range:
    """The places of our values for this record in a Record-Route. Raises MalformedValue."""
    places = []
    for place, value in enumerate(response.listed("record-route")):
        uri = parse_uri(parse_address(value).uri)
        if isinstance(uri, SipUri) and identity.means_us(uri):
            redeemed = calls.redeem(uri.parameters.get("dialog") or "", response.call_id, response.from_.tag or "")
            if redeemed is not None and redeemed.identifier == identifier:
                places.append(place)
    return range(places[0], places[-1] + 1) if places else range(0)


def target_of(message: Message) -> str:
    """The URI of its Contact. Raises MalformedValue when there is none."""
    return parse_address(message.required("contact")).uri
