"""The call as a stage sees it: the request, where it came from, and what earlier stages found.

Stages only read it; the chain writes the findings. Numbers are canonicalised by the trunk's dial plan once and kept.
"""

from typing import TYPE_CHECKING

from sipguard.errors import MalformedValue
from sipguard.policy.account import Account
from sipguard.policy.finding import (
    Attested,
    Callback,
    CallerIdentity,
    Classified,
    Emergency,
    Refusal,
    Routed,
    Signed,
    TrailEntry,
    Unsigned,
    Verified,
)
from sipguard.policy.heading import Heading
from sipguard.policy.need import Answer, Need
from sipguard.policy.presented import from_number
from sipguard.policy.trunk import Side, Trunk
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.uri import Uri, parse_uri
from sipguard.stir.telephone_number import TN, tn_of_uri
from sipguard.stir.unix_time import UnixTime
from sipguard.traffic.shares import Pair
from sipguard.traffic.usage import Hold

if TYPE_CHECKING:
    from sipguard.policy.throttling import Throttled

UNKNOWN_TRUNK = Trunk("unknown", Side.CUSTOMER)  # stands in for the trunk of a source nobody configured


class Call:
    """One out-of-dialog request on its way through the chain.

    ``outbound`` is whether it comes from a customer (origination) rather than from the network (termination).
    ``received_at`` is wall-clock seconds; ``identifier`` names the attestation record. Findings are None until their
    stage has run. ``position`` is the stage to resume at after a need was answered. ``authenticated`` is the user name
    that the caller proved to be by digest; empty for a caller known otherwise. ``arrived`` is monotonic seconds.
    ``hold`` is the place among the calls that are up, and ``repeat`` what the call counts for among calls to the same
    number, both from the decision until the call has left.
    """

    __slots__ = (
        "_from_tn",
        "_request_tn",
        "_request_uri",
        "_to_tn",
        "account",
        "answers",
        "arrived",
        "attested",
        "authenticated",
        "callback",
        "classified",
        "diverted",
        "emergency",
        "flow",
        "heading",
        "hold",
        "identifier",
        "identity",
        "outbound",
        "position",
        "received_at",
        "repeat",
        "reported",
        "request",
        "routed",
        "signed",
        "tags",
        "throttled",
        "trail",
        "trunk",
        "unsigned",
        "verified",
    )

    def __init__(
        self,
        identifier: str,
        request: Request,
        flow: Flow,
        received_at: UnixTime,
        trunk: Trunk,
        account: Account | None,
        arrived: float = 0.0,
    ) -> None:
        self.identifier = identifier
        self.request = request
        self.flow = flow
        self.received_at = received_at
        self.arrived = arrived
        self.hold: Hold | None = None
        self.repeat: Pair | None = None
        self.trunk = trunk
        self.outbound = trunk.side is Side.CUSTOMER
        self.account = account
        self.authenticated = ""
        self.position = 0
        self.answers: dict[Need, Answer] = {}
        self.trail: list[TrailEntry] = []
        self.reported: list[Refusal] = []
        self.tags: list[str] = []  # rules that matched and only mark the call
        self.throttled: list[Throttled] = []  # rules in mode throttle that matched
        self.diverted = False  # one of them sends it by the segregated route
        self.emergency: Emergency | None = None
        self.callback: Callback | None = None
        self.identity: CallerIdentity | None = None
        self.heading: Heading | None = None
        self.classified: Classified | None = None
        self.attested: Attested | None = None
        self.signed: Signed | None = None
        self.unsigned: Unsigned | None = None
        self.verified: Verified | None = None
        self.routed: Routed | None = None
        self._request_uri: Uri | None = None
        self._request_tn: TN | None = None
        self._from_tn: TN | None = None
        self._to_tn: TN | None = None

    @property
    def direction(self) -> str:
        """``origination``, ``termination``, or ``unknown`` when no trunk is known to be at the source."""
        if self.trunk is UNKNOWN_TRUNK:
            return "unknown"
        return "origination" if self.outbound else "termination"

    @property
    def request_uri(self) -> Uri:
        """The parsed Request-URI. Raises MalformedValue."""
        if self._request_uri is None:
            self._request_uri = parse_uri(self.request.uri)
        return self._request_uri

    @property
    def request_tn(self) -> TN | None:
        """The canonical called number of the Request-URI, None when it holds no number."""
        if self._request_tn is None:
            self._request_tn = tn_of_uri(self.request_uri, self.trunk.dial_plan)
        return self._request_tn

    @property
    def from_tn(self) -> TN | None:
        """The canonical number of the From field, None when it holds no number."""
        if self._from_tn is None:
            self._from_tn = from_number(self.request, self.trunk.dial_plan)
        return self._from_tn

    @property
    def to_tn(self) -> TN | None:
        """The canonical number of the To field (the PASSporT's dest, RFC 8224 §4.1), None when it holds no number."""
        if self._to_tn is None:
            try:
                self._to_tn = tn_of_uri(parse_uri(self.request.to.uri), self.trunk.dial_plan)
            except MalformedValue:
                return None
        return self._to_tn
