"""Probes: an OPTIONS to every target of every trunk, again and again, so that a dead one is known before a call is.

They run on the engine's own timers, spread over the interval. Any final answer but 503 shows that the server is well;
none before its next turn, or no way to reach it, counts against it.
"""

from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.policy.trunk import Target
from sipguard.proxy import forwarding
from sipguard.proxy.health import name_of
from sipguard.proxy.oc_parameters import OFFER
from sipguard.proxy.station import Station, identity_of
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.message import Request, Response

_NO_LISTENER = -1


class Probe:
    """One OPTIONS under way; the owner of its client transaction."""

    __slots__ = ("server",)

    def __init__(self, server: Server) -> None:
        self.server = server


class Prober:
    """Probes the targets of the view's trunks, one after the other."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._running = False
        self._round: list[Target] = []
        self._step = 0.0  # seconds between two probes of a round
        self._open: dict[Server, Probe] = {}
        self._behind: dict[TargetNeed, tuple[Server, ...]] = {}  # what probes have found

    def start(self, now: float) -> None:
        """Begin, if the settings want it and nothing runs yet."""
        station = self._station
        if not self._running and station.settings.probe_interval > 0 and not station.draining:
            self._running = True
            self.fire(0, now)

    def targets_up(self) -> dict[tuple[str, str], bool]:
        """By trunk and target URI: whether any server of the target counts as up."""
        health = self._station.health
        states = {}
        for trunk in self._station.view.directory.trunks.values():
            for target in trunk.targets:
                place = target.place
                servers = (place,) if isinstance(place, Server) else self._behind.get(place, ())
                states[trunk.name, target.uri] = not servers or any(health.is_up(server) for server in servers)
        return states

    # --- time

    def fire(self, _kind: int, now: float) -> None:
        """The next probe is due."""
        station = self._station
        if station.draining:
            self._running = False
            return
        if not self._round:
            self._begin_round()
        if self._round:
            self._probe(self._round.pop(), now)
        station.timers.start(now + self._step, self, 0)

    def _begin_round(self) -> None:
        trunks = self._station.view.directory.trunks.values()
        targets = {target.place: target for trunk in trunks if trunk.probe for target in trunk.targets}
        self._round = list(reversed(targets.values()))
        self._step = self._station.settings.probe_interval / max(1, len(self._round))
        self._behind = {need: servers for need, servers in self._behind.items() if need in targets}
        known = {place for place in targets if isinstance(place, Server)}.union(*self._behind.values())
        self._open = {server: probe for server, probe in self._open.items() if server in known}

    def _probe(self, target: Target, now: float) -> None:
        place = target.place
        if isinstance(place, Server):
            self._send(place, target.names, now)
        else:
            station = self._station
            station.needs.park(place, place, self, now + station.settings.need_timeout)

    def resume(self, place: TargetNeed, _need: Need, answer: Answer | TargetAnswer, now: float) -> None:
        """The servers of a name are known."""
        servers = answer.servers if isinstance(answer, TargetAnswer) else ()
        self._behind[place] = servers
        for server in servers:
            self._send(server, identity_of(place), now)

    # --- one probe

    def _send(self, server: Server, names: tuple[str, ...], now: float) -> None:
        station = self._station
        egress = station.identity.egress(server.transport, server.host, _NO_LISTENER)
        if egress is None:
            return
        if server in self._open:
            station.health.failed(server, now, "no answer to OPTIONS")
        probe = self._open[server] = Probe(server)
        request = _options(server, egress, station.random(), station.random())
        offer = OFFER if station.offers_control(server.host) else ""
        branch = forwarding.push_via(request, egress, station.random(), offer)
        names = names if server.transport == "tls" else ()
        flow = Flow(egress.number, server.transport, server.host, server.port, 0, names)
        station.layer.start_on_branch(request, flow, now, probe, branch)

    def response(self, probe: Probe, response: Response, now: float) -> None:
        """Somebody answered."""
        if response.code < 200 or not self._closes(probe):
            return
        if response.code == 503:
            self._station.health.failed(probe.server, now, "503 to OPTIONS")
        else:
            self._station.health.answered(probe.server, now)

    def unanswered(self, probe: Probe, now: float, detail: str) -> None:
        """Nobody did, or the server cannot be reached."""
        if self._closes(probe):
            self._station.health.failed(probe.server, now, detail)

    def _closes(self, probe: Probe) -> bool:
        """Whether this is the latest probe of its server, which is over then."""
        if self._open.get(probe.server) is not probe:
            return False
        del self._open[probe.server]
        return True


def _options(server: Server, egress: Listener, tag: str, identifier: str) -> Request:
    """A request of our own (RFC 3261 §8.1.1, §11.1)."""
    place = name_of(server).partition(":")[2]
    uri = f"sip:{place};transport=tcp" if server.transport == "tcp" else f"sip:{place}"  # never tls (RFC 5630 §5.3)
    request = Request(f"OPTIONS {uri} SIP/2.0", [], [], b"", "OPTIONS", uri)
    own = f"sip:{egress.advertised_host}:{egress.advertised_port}"
    for name, value in (
        ("max-forwards", "70"),
        ("from", f"<{own}>;tag={tag}"),
        ("to", f"<{uri}>"),
        ("call-id", f"{identifier}@{egress.advertised_host}"),
        ("cseq", "1 OPTIONS"),
        ("contact", f"<{own}>"),
        ("accept", "application/sdp"),
        ("content-length", "0"),
    ):
        request.append(name, value)
    return request
