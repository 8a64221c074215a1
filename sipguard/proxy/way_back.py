"""The way back to a caller whose connection is gone and who is not where its request came from (RFC 3263 §5).

The host of its Via is looked up: with a port its addresses, without one also its SRV records, for the transport the
request came by. Only callers that a trunk stands behind are looked for: a stranger must not make us ask name servers,
nor open connections.
"""

from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.proxy.station import Station
from sipguard.sip.flow import OVER_TLS, WEBSOCKET, Flow
from sipguard.sip.host import is_address
from sipguard.sip.uri import default_port
from sipguard.transaction.server import ServerTransaction


class WayBack:
    """Finds the senders of requests."""

    def __init__(self, station: Station) -> None:
        self._station = station

    def stranded(self, server: ServerTransaction, now: float) -> None:
        """The responses to this request reach nobody."""
        station, flow = self._station, server.flow
        if flow.transport in WEBSOCKET or station.view.directory.trunk_of(flow) is None:
            return
        via = server.request.via
        host = via.host.strip("[]")
        if is_address(host):
            self._answer(server, (Server(flow.transport, host, via.port or default_port(flow.transport)),))
            return
        need = TargetNeed(host, via.port, flow.transport, flow.transport in OVER_TLS)
        station.needs.park(need, server, self, now + station.settings.need_timeout)

    def resume(self, server: ServerTransaction, _need: Need, answer: Answer | TargetAnswer, _now: float) -> None:
        """The servers behind the name are known, or there are none."""
        if isinstance(answer, TargetAnswer):
            self._answer(server, answer.servers)

    def _answer(self, server: ServerTransaction, places: tuple[Server, ...]) -> None:
        """The same listener; over TLS the peer proves what it proved before, or to be the name (RFC 5922 §7.3)."""
        flow = server.flow
        names = flow.names
        if flow.transport in OVER_TLS and not names:
            names = (server.request.via.host.rstrip(".").lower(),)
        ways = [
            Flow(flow.listener, flow.transport, place.host, place.port, 0, names)
            for place in places
            if place.transport == flow.transport
        ]
        self._station.layer.find_sender(server, [way for way in ways if way != server.reply_flow])
