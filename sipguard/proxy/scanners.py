"""Scanners: who probes for extensions, guesses passwords or sends rubbish gets no answer any more, and is banned.

Looked at is what comes from sources that are no trunk's. A rule (``scan.*``) that matches bans the source and drops the
message without an answer, before a transaction is made of it: a scanner does not learn that somebody is here. In report
mode a match is counted and logged, nothing else.

- ``scan.user-agent``: the name of a tool in User-Agent.
- ``scan.honeypot``: a user nobody has, that only who guesses asks for.
- ``scan.users``: many different users from one source.
- ``scan.digest``: many wrong passwords. Who proves a right one is let alone for an hour.
- ``scan.malformed``: much of what comes is no SIP.

Never banned are the addresses of trunks, their targets, and those the operator allows. With ``ban_trunks`` the sources
of trunks are looked at too, but for the number of users: customers call many.
"""

import ipaddress
import re

from sipguard.errors import MalformedValue
from sipguard.policy.rules import Mode
from sipguard.policy.settings import ScannerSettings
from sipguard.policy.trunk import Trunk
from sipguard.proxy.bans import Bans
from sipguard.proxy.log_budget import LogBudget
from sipguard.proxy.output import INFO, Close
from sipguard.proxy.station import Station
from sipguard.proxy.suspects import Suspects
from sipguard.proxy.urgency import asks_for_help
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.uri import SipUri, TelUri, parse_uri, unescape

_NOT_ASKING = frozenset(("ACK", "CANCEL"))
_LINES = 60  # a minute, of what rules in report mode saw
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Scanners:
    """Judges strangers; ``bans`` holds those that were found out."""

    def __init__(self, station: Station) -> None:
        self.bans = Bans(station)
        self._station = station
        self._suspects = Suspects()
        self._reported = LogBudget(_LINES)
        self._read_from: ScannerSettings | None = None  # what the next two were made of
        self._agents: re.Pattern[str] | None = None
        self._allowed: tuple[_Network, ...] = ()

    def rejects(self, request: Request, flow: Flow, now: float) -> bool:
        """Look at a request; whether it is dropped."""
        policy = self._station.view.policy
        settings = policy.scanners
        trunk = self._station.view.directory.trunk_of(flow)
        stranger = trunk is None
        if not (stranger or settings.ban_trunks) or request.method in _NOT_ASKING or _in_dialog(request):
            return False
        if trunk is not None:
            if request.method == "INVITE" and self._is_for_help(request, trunk):
                return False
            if flow.host in self.bans.active:
                self.bans.dropped(flow.host, call=request.method == "INVITE")
                return True
        agents = self._agents if self._read_from is settings else self._read(settings)
        if agents is not None and any(map(agents.search, request.values("user-agent"))):
            return self._found("scan.user-agent", flow, now)
        user = _user(request)
        if user is not None and user in settings.honeypots:
            return self._found("scan.honeypot", flow, now)
        if stranger and flow.host in self.bans.active:  # a call for help: ``bans`` let nothing else in
            return False
        if stranger and self._suspects.asked_for(flow.host, user, settings, now):
            return self._found("scan.users", flow, now)
        return False

    def garbled(self, flow: Flow, now: float) -> bool:
        """A message was no SIP; whether its sender is banned now."""
        settings = self._station.view.policy.scanners
        if not self._is_watched(flow, settings) or not self._suspects.garbled(flow.host, settings, now):
            return False
        return self._found("scan.malformed", flow, now)

    def failed(self, flow: Flow, now: float) -> None:
        """Wrong credentials came."""
        settings = self._station.view.policy.scanners
        if self._is_watched(flow, settings) and self._suspects.failed(flow.host, settings, now):
            self._found("scan.digest", flow, now)

    def proved(self, flow: Flow, now: float) -> None:
        """Right credentials came: what was held against their address may have been forged."""
        self._suspects.proved(flow.host, self._station.view.policy.scanners, now)
        if flow.host in self.bans.active:
            self.bans.pardon(flow.host)

    def review(self) -> None:
        """Trunks or settings are others now: lift the bans of who may not be banned under them."""
        for host in list(self.bans.active):
            if self._is_spared(host):
                self.bans.pardon(host)

    # --- inside

    def _is_for_help(self, request: Request, trunk: Trunk) -> bool:
        """Whether a trunk's call is an emergency call, which no ban stops (EMG-04)."""
        try:
            return asks_for_help(request, trunk, self._station.view)
        except MalformedValue:
            return False

    def _is_watched(self, flow: Flow, settings: ScannerSettings) -> bool:
        return settings.ban_trunks or self._station.view.directory.trunk_of(flow) is None

    def _found(self, rule: str, flow: Flow, now: float) -> bool:
        """A rule matched: ban or report, as its mode says; whether the message is dropped."""
        station = self._station
        mode = station.view.policy.mode(rule)
        if mode is Mode.OFF or self._suspects.has_proved(flow.host, now) or self._is_spared(flow.host):
            return False
        if mode is not Mode.BLOCK:
            station.count("reported", "unknown", rule)
            if self._reported.admits(now):
                station.log(INFO, "source.suspicious", source=flow.host, rule=rule, unlogged=self._reported.omitted())
            return False
        self._suspects.forget(flow.host)
        self.bans.begin(flow.host, rule, station.view.policy.scanners, now)
        if flow.reliable:
            station.outputs.append(Close(flow))
        return True

    def _is_spared(self, host: str) -> bool:
        """Whether an address is never banned."""
        view = self._station.view
        settings, directory = view.policy.scanners, view.directory
        if not settings.ban_trunks and (
            directory.trunk_at(host) is not None or directory.names_at(host) or host in directory.target_hosts
        ):
            return True
        if self._read_from is not settings:
            self._read(settings)
        return bool(self._allowed) and _is_in(host, self._allowed)

    def _read(self, settings: ScannerSettings) -> re.Pattern[str] | None:
        """Make of the settings what is needed for every request; once for each configuration."""
        self._read_from = settings
        self._allowed = tuple(ipaddress.ip_network(text, strict=False) for text in settings.allow)
        parts = "|".join(map(re.escape, settings.user_agents))
        self._agents = re.compile(parts, re.IGNORECASE | re.ASCII) if parts else None
        return self._agents


def _in_dialog(request: Request) -> bool:
    if "tag" not in request.required("to").lower():  # nearly every request that a scanner sends
        return False
    try:
        return request.to.tag is not None
    except MalformedValue:
        return False


def _user(request: Request) -> str | None:
    """Whom a request asks for, in lower case; a REGISTER says it in To (RFC 3261 §10.2)."""
    try:
        uri = parse_uri(request.to.uri if request.method == "REGISTER" else request.uri)
    except MalformedValue:
        return None
    if isinstance(uri, SipUri):
        return None if uri.user is None else unescape(uri.user).lower()
    return uri.number.lower() if isinstance(uri, TelUri) else None


def _is_in(host: str, networks: tuple[_Network, ...]) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    return any(address.version == network.version and address in network for network in networks)
