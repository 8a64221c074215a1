"""The configuration as the engine reads it: its listeners, its policy, its own settings."""

from sipguard.config import Configuration
from sipguard.policy.premium_numbers import PremiumNumbers
from sipguard.policy.protected_names import ProtectedNames
from sipguard.policy.settings import DigestSettings, PolicySettings
from sipguard.proxy.settings import ProxySettings
from sipguard.sip.flow import Listener
from sipguard.transaction.settings import TimerSettings

_ANSWER_MARGIN = 0.5  # seconds: a fetch that times out says why before the engine stops waiting for it


def listeners(configuration: Configuration) -> tuple[Listener, ...]:
    """The local addresses, numbered in order of configuration."""
    return tuple(
        Listener(
            number,
            section.transport,
            section.address.host,
            section.address.port,
            section.advertised.bracketed,
            section.advertised.port,
            section.transport_parameter,
        )
        for number, section in enumerate(configuration.listener)
    )


def policy_settings(configuration: Configuration) -> PolicySettings:
    """The operator's policy as the stages read it."""
    policy, verify = configuration.policy, configuration.stir.verify
    premium = PremiumNumbers(prefix.removeprefix("+") for prefix in policy.destinations.premium)
    return PolicySettings(
        revision=policy.revision,
        modes={name: rule.mode for name, rule in policy.rules.items() if rule.mode is not None},
        scopes={name: rule.scope() for name, rule in policy.rules.items() if rule.allow or rule.exceptions},
        throttles={name: rule.throttle.limit() for name, rule in policy.rules.items() if rule.throttle is not None},
        precedence=policy.precedence,
        protected_names=ProtectedNames(policy.protected_names),
        end_suspended=policy.suspended_calls == "end",
        registry_on_stale=configuration.registry.on_stale,
        emergency_unprovisioned=policy.emergency.unprovisioned,
        countries=policy.destinations.countries,
        premium=premium,
        rotation=policy.callers.rotation.settings(),
        caller_numbers=policy.callers.numbers(premium, policy.emergency.numbers),
        destinations=policy.destinations.settings(),
        hours=policy.hours.hours(),
        repeated=policy.repeated.repeated(),
        emergency_unprovisioned_by_country=dict(policy.emergency.unprovisioned_by_country),
        emergency_callback_window=policy.emergency.callback_window,
        emergency_location_url=policy.emergency.location_url,
        emergency_location_when=policy.emergency.location_when,
        redress_url=policy.redress.url,
        redress_telephone=policy.redress.telephone,
        emergency_numbers=dict(policy.emergency.numbers),
        sign_outage=configuration.stir.sign.outage,
        sign_stale_date=configuration.stir.sign.stale_date,
        sign_origid=configuration.stir.sign.origid,
        sign_emergency_priority=configuration.stir.sign.emergency_priority,
        verify_on_failure=verify.on_failure,
        verify_on_unavailable=verify.on_unavailable,
        verify_require=verify.require,
        robodial=configuration.robodial.thresholds(),
        digest=DigestSettings(
            realm=configuration.realm,
            algorithms=configuration.digest.algorithms,
            nonce_lifetime=configuration.digest.nonce_lifetime,
            max_nonces=configuration.digest.max_nonces,
            failures_logged=configuration.digest.failures_logged,
        ),
        limits=configuration.limits.calls.limits(),
        scanners=configuration.scanners.settings(),
        forwarding=policy.forwarding.settings(),
    )


def proxy_settings(configuration: Configuration, record_route_secret: bytes) -> ProxySettings:
    """The proxy core's settings."""
    timers, health = configuration.timers, configuration.health
    return ProxySettings(
        node=configuration.node.name,
        need_timeout=max(configuration.stir.verify.fetch_timeout, configuration.dns.timeout) + _ANSWER_MARGIN,
        ledger_on_failure=configuration.ledger.on_failure,
        record_route_secret=record_route_secret,
        max_datagram=configuration.limits.max_datagram,
        probe_interval=health.probe_interval,
        down_after=health.down_after,
        up_after=health.up_after,
        retry_after=health.retry_after,
        max_call_duration=timers.max_call_duration,
        overload=configuration.overload.settings(),
        timers=TimerSettings(t1=timers.t1, t2=timers.t2, t4=timers.t4, timer_c=timers.timer_c),
    )
