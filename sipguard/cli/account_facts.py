"""What is known of an account: what the tree imposes on it, what it has, how it stands, what was done about its calls.

The directory says what is in force, the registry who imposes it, the policy what each rule does to this account, the
node's tags file and the attestation log of the last day how it stands.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict

from sipguard.cli.account_limits import limits_of
from sipguard.cli.account_rules import exceptions_of, rules_of
from sipguard.cli.audit import audit_record
from sipguard.cli.destination_facts import destination_facts
from sipguard.cli.recent_calls import RecentCalls, recent_calls
from sipguard.cli.replay import node_of
from sipguard.config import Configuration
from sipguard.ledger.reader import LogReader
from sipguard.ledger.segment import log_directory
from sipguard.policy.account import Account, AccountState
from sipguard.policy.settings import CallLimits
from sipguard.policy.trunk import Trunk
from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.values import shown_number, shown_time
from sipguard.runtime.composition import Node
from sipguard.stir.unix_time import UnixTime

DAY = 86_400
_FEW = 5


def account_facts(configuration: Configuration, name: str) -> dict[str, object]:
    """Everything about an account. Raises RegistryError when there is none."""
    registry = Registry(configuration.registry_url)
    path = registry.accounts.path(name)
    node = node_of(configuration)
    account = node.view.directory.accounts[name]
    now = time.time()
    reader = LogReader(log_directory(configuration.node.state))
    recent = recent_calls(reader, now - DAY, lambda record: record.get("account") == name)
    trunks = [trunk for trunk in node.view.directory.trunks.values() if trunk.account == name]
    return {
        "account": name,
        "kind": path[-1].kind.value,
        "path": list(account.path),
        "state": _state(path, account, registry),
        "revision": revision_of(node),
        "attestation": _attestation(path, account),
        "certificate": _certificate(path, account, trunks, node, UnixTime(int(now))),
        "caller_name": account.caller_name,
        "emergency": _emergency(path, account, node, registry),
        "limits": limits_of(account, node.view, recent.up),
        "countries": _countries(path, account, node),
        "destinations": destination_facts(account, node, recent, now),
        "do_not_call": _do_not_call(path, account),
        "numbers": _numbers(name, registry),
        "trunks": [_trunk(trunk, node.view.policy.limits) for trunk in trunks],
        "rules": rules_of(account, node.view.policy),
        "exceptions": exceptions_of(account, trunks, node.view),
        "traffic": _traffic(name, node, recent, now),
        "last_24h": recent.counts(),
        "last_refusals": recent.last(refused=True),
        "audit": [audit_record(entry, True) for entry in registry.audit(subject=name, what="account", limit=_FEW)],
    }


def revision_of(node: Node) -> dict[str, object]:
    """Under which policy, and after which change of the registry, all this holds."""
    return {"policy": node.view.policy.revision, "registry": node.view.directory.revision}


def _state(path: Sequence[AccountEntry], account: Account, registry: Registry) -> dict[str, object]:
    """The state in force is the strictest on the path; of equals the one nearest to the top imposes it."""
    free = account.state is AccountState.ACTIVE
    imposing = path[-1] if free else next(entry for entry in path if entry.state is account.state)
    changes = registry.audit(subject=imposing.name, what="account")
    latest = next((change for change in changes if "state" in _after(change.detail)), None)
    return {
        "own": path[-1].state.value,
        "in_force": account.state.value,
        "imposed_by": None if free else imposing.name,
        "since": None if latest is None else shown_time(latest.at),
        "by": None if latest is None else latest.who,
        "reason": None if latest is None else _after(latest.detail).get("reason"),
    }


def _after(detail: dict[str, object]) -> dict[str, object]:
    after = detail.get("after")
    return after if isinstance(after, dict) else {}


def _attestation(path: Sequence[AccountEntry], account: Account) -> dict[str, object]:
    caps = [entry for entry in path if entry.attest_cap is not None and entry.attest_cap == account.attest_cap]
    return {"cap": account.attest_cap, "imposed_by": caps[0].name if caps else None}


def _certificate(
    path: Sequence[AccountEntry], account: Account, trunks: Sequence[Trunk], node: Node, now: UnixTime
) -> list[dict[str, object]]:
    """The certificate of the account, or else those of its trunks, and whether one of that name signs now."""
    names = [account.certificate] if account.certificate else list(dict.fromkeys(trunk.certificate for trunk in trunks))
    setters = [entry.name for entry in reversed(path) if entry.certificate is not None]
    found: list[dict[str, object]] = []
    for name in names:
        generations = node.view.signers.get(name) or node.view.signers.get("default")
        signer = None if generations is None else generations.current(now)
        found.append(
            {
                "name": name,
                "used": None if generations is None else generations.name,
                "set_by": setters[0] if setters else "its trunks",
                "signs_now": signer is not None,
                "expires": None if signer is None else shown_time(signer.not_after),
            }
        )
    return found


def _emergency(path: Sequence[AccountEntry], account: Account, node: Node, registry: Registry) -> dict[str, object]:
    setters = [entry.name for entry in reversed(path) if entry.emergency_unprovisioned is not None]
    policy = node.view.policy
    return {
        "unprovisioned": account.emergency_unprovisioned or policy.emergency_unprovisioned,
        "by_country": {} if setters else dict(policy.emergency_unprovisioned_by_country),
        "set_by": setters[0] if setters else "policy",
        "registrations": registry.emergency.count(account.name),
    }


def _countries(path: Sequence[AccountEntry], account: Account, node: Node) -> dict[str, object]:
    """The countries it may call; nobody's word means the country of the trunk that calls."""
    setters = [entry.name for entry in reversed(path) if entry.countries]
    allowed = account.countries or node.view.policy.countries
    return {"may_call": list(allowed), "set_by": setters[0] if setters else "policy" if allowed else "its trunks"}


def _do_not_call(path: Sequence[AccountEntry], account: Account) -> dict[str, object]:
    """Which lists its calls are held against."""
    setters = [entry.name for entry in reversed(path) if entry.do_not_call]
    return {"lists": account.do_not_call.value, "set_by": setters[0] if setters else "default"}


def _numbers(name: str, registry: Registry) -> dict[str, object]:
    few = registry.numbers.list(name, limit=_FEW)
    return {"count": registry.numbers.count(name), "first": [shown_number(entry.tn) for entry in few]}


def _trunk(trunk: Trunk, limits: CallLimits) -> dict[str, object]:
    return {
        "name": trunk.name,
        "sources": list(trunk.sources),
        "tls_names": list(trunk.tls_names),
        "digest": trunk.digest,
        "targets": [target.uri for target in trunk.targets],
        "on_mismatch": trunk.on_mismatch.value,
        "forwarding": trunk.forwarding.value,
        "gateway": trunk.gateway,
        "limit": asdict(trunk.limit or limits.trunk),
    }


def _traffic(name: str, node: Node, recent: RecentCalls, now: float) -> dict[str, object]:
    """The tag in force, as the node last wrote it down, and what the last hour in the log would give."""
    standing = node.view.traffic.standing(name)
    points, reasons, features = recent.score(node.view.traffic.profile, now)
    return {
        "tagged": standing.tagged,
        "points": standing.points,
        "reasons": list(standing.reasons),
        "features": dict(standing.features),
        "last_hour": {"points": points, "reasons": list(reasons), "features": features},
        "at_its_limit_24h": recent.reported("limit.hugging"),
        "tagged_from": node.view.traffic.profile.tag_points,
    }
