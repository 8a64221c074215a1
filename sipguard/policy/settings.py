"""The operator's policy, frozen: read once from the configuration, swapped whole on a reload."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sipguard.policy.caller_numbers import CallerNumbers
from sipguard.policy.calling_hours import CallingHours
from sipguard.policy.destination_settings import DestinationLimit, DestinationSettings
from sipguard.policy.destination_table import DestinationTable
from sipguard.policy.premium_numbers import PremiumNumbers
from sipguard.policy.protected_names import ProtectedNames
from sipguard.policy.repeated_calls import RepeatedCalls
from sipguard.policy.rules import RULES, Mode
from sipguard.policy.scope import Scope
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.traffic.hugging import HuggingSettings
from sipguard.traffic.limit import MODEST, UNLIMITED, CallLimit
from sipguard.traffic.profile import Profile


@dataclass(frozen=True, slots=True)
class DigestSettings:
    """How customers known by credentials are asked for them (RFC 3261 §22.3, RFC 8760).

    ``algorithms`` are offered in this order. A nonce is good for ``nonce_lifetime`` seconds; the counts of
    ``max_nonces`` are remembered, so that no credentials are good twice. ``failures_logged`` is how many failures a
    minute are logged.
    """

    realm: str = "sipguard"
    algorithms: tuple[str, ...] = ("SHA-256",)
    nonce_lifetime: float = 300.0
    max_nonces: int = 100_000
    failures_logged: int = 10


TOOLS = (
    "friendly-scanner", "sipvicious", "sipcli", "sundayddr", "vaxsipuseragent", "pplsip", "sip-scan", "sipscan",
    "siparmyknife",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """When a source that is no trunk's is taken for a scanner, and for how long it is banned; times in seconds.

    ``user_agents`` are parts of User-Agent values in any case, ``honeypots`` users that nobody has, in lower case.
    Within ``window`` a source may ask for fewer than ``users`` different users, give wrong credentials fewer than
    ``digest_failures`` times and send fewer than ``malformed`` messages that are no SIP, if those are at least
    ``malformed_share`` of what it sends. ``bans`` are the lengths of the first, second, ... ban, the last one for all
    further ones; an offence counts until ``forget_after`` its ban. ``watched`` and ``banned`` bound the tables.
    """

    user_agents: tuple[str, ...] = TOOLS
    honeypots: frozenset[str] = frozenset()
    window: float = 60.0
    users: int = 20
    digest_failures: int = 20
    malformed: int = 20
    malformed_share: float = 0.5
    bans: tuple[float, ...] = (60.0, 300.0, 3600.0, 86_400.0)
    forget_after: float = 86_400.0
    watched: int = 10_000
    banned: int = 10_000
    allow: tuple[str, ...] = ()  # addresses and networks
    ban_trunks: bool = False


@dataclass(frozen=True, slots=True)
class RotationSettings:
    """Within ``window`` seconds of a refusal (0: nobody looks) an account may try fewer than ``callers`` numbers."""

    window: float = 60.0
    callers: int = 3


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How many calls are let in from a source, a trunk, an account and a calling number, and out to a trunk.

    ``accounts`` are the limits of single accounts, in place of ``account``; the registry's, and those of trunks, are in
    the directory. ``restricted`` is for accounts in that state.
    ``throttle`` is for the calls of one account that one rule in mode throttle matched.
    ``destinations`` are those of customers' calls to one place.
    """

    source: CallLimit = UNLIMITED
    trunk: CallLimit = UNLIMITED
    account: CallLimit = UNLIMITED
    number: CallLimit = UNLIMITED
    egress: CallLimit = UNLIMITED
    throttle: CallLimit = MODEST
    restricted: CallLimit = MODEST
    accounts: Mapping[str, CallLimit] = field(default_factory=dict)
    destinations: DestinationTable[DestinationLimit] = field(default_factory=DestinationTable)
    hugging: HuggingSettings = field(default_factory=HuggingSettings)


@dataclass(frozen=True, slots=True)
class ForwardingSettings:
    """What is remembered of calls that were delivered to customers that may forward.

    For ``window`` seconds such a call licenses ``forwards`` forwarded ones; ``remembered`` bounds the table.
    """

    window: float = 180.0
    forwards: int = 5
    remembered: int = 10_000


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What policy stages are told.

    ``modes`` and ``scopes`` (the exceptions) are by rule. ``precedence`` names the header fields a caller identity is
    taken from, best first. ``emergency_numbers`` adds to or (with an empty tuple of numbers) overrides the built-in
    table, by ISO country. ``verify_*`` are the defaults that a trunk may override: ``on_failure`` and
    ``on_unavailable`` are ``tag`` or ``reject``. ``redress_*`` is whom a caller blocked by analytics may turn to.
    """

    revision: str = "unversioned"
    modes: Mapping[str, Mode] = field(default_factory=dict)
    scopes: Mapping[str, Scope] = field(default_factory=dict)
    throttles: Mapping[str, CallLimit] = field(default_factory=dict)  # of rules that have one of their own
    precedence: tuple[str, ...] = ("p-asserted-identity", "p-preferred-identity", "remote-party-id", "from")
    protected_names: ProtectedNames = field(default_factory=ProtectedNames)
    end_suspended: bool = False  # calls of an account end when it is suspended or terminated
    registry_on_stale: str = "continue"  # continue | refuse
    countries: tuple[str, ...] = ()  # that accounts may call which name none; none: their trunk's own
    premium: PremiumNumbers = field(default_factory=PremiumNumbers)
    caller_numbers: CallerNumbers = field(default_factory=CallerNumbers)
    destinations: DestinationSettings = field(default_factory=DestinationSettings)
    hours: CallingHours = field(default_factory=CallingHours)
    repeated: RepeatedCalls = field(default_factory=RepeatedCalls)
    rotation: RotationSettings = field(default_factory=RotationSettings)
    emergency_unprovisioned: Unprovisioned = Unprovisioned.REJECT
    emergency_unprovisioned_by_country: Mapping[str, Unprovisioned] = field(default_factory=dict)
    emergency_callback_window: float = 1800.0  # seconds in which a number that called help may be called back; 0: none
    emergency_location_url: str = ""  # with {number}: where the location of a registered number is told; none
    emergency_location_when: str = "missing"  # missing: to calls that say nothing of theirs | always
    emergency_numbers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sign_outage: str = "unsigned"  # unsigned | refuse
    sign_stale_date: str = "redate"  # unsigned | redate | refuse
    sign_origid: str = "account"  # account | call
    sign_emergency_priority: str = ""  # Resource-Priority of provisioned emergency calls, with its rph PASSporT; none
    verify_on_failure: str = "tag"
    verify_on_unavailable: str = "tag"
    verify_require: bool = False
    redress_url: str = ""
    redress_telephone: str = ""
    robodial: Profile = field(default_factory=Profile)
    digest: DigestSettings = field(default_factory=DigestSettings)
    limits: CallLimits = field(default_factory=CallLimits)
    scanners: ScannerSettings = field(default_factory=ScannerSettings)
    forwarding: ForwardingSettings = field(default_factory=ForwardingSettings)

    @property
    def ends_calls(self) -> bool:
        """Whether calls that are up may be ended."""
        return self.end_suspended or bool(self.destinations.max_duration)

    def mode(self, rule: str) -> Mode:
        """The mode in force for a rule, exceptions aside."""
        return self.modes.get(rule) or RULES[rule].mode

    def throttle(self, rule: str) -> CallLimit:
        """How fast, and how many at a time, calls that a rule matched go on in mode throttle."""
        return self.throttles.get(rule) or self.limits.throttle
