"""The operator's policy, frozen: read once from the configuration, swapped whole on a reload."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sipguard.policy.rules import RULES, Mode
from sipguard.policy.scope import Scope
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
    precedence: tuple[str, ...] = ("p-asserted-identity", "p-preferred-identity", "remote-party-id", "from")
    registry_on_stale: str = "continue"  # continue | refuse
    emergency_unprovisioned: str = "reject"  # reject | route
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

    def mode(self, rule: str) -> Mode:
        """The mode in force for a rule, exceptions aside."""
        return self.modes.get(rule) or RULES[rule].mode
