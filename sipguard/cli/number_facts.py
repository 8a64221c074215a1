"""What is known of a number: whose it is, who may call from it and what would come of that, where calls to it go.

What would come of a call is not worked out here: an INVITE from the number goes through the engine, once for each
customer trunk of the accounts that have a right to it (``replay``). It calls itself, and the rules about where and how
often an account may call are left out: this is about who calls.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sipguard.cli.account_facts import DAY, revision_of
from sipguard.cli.audit import audit_record
from sipguard.cli.recent_calls import recent_calls
from sipguard.cli.replay import Replay, node_of, trunk_named
from sipguard.config import Configuration
from sipguard.errors import SipguardError
from sipguard.ledger.reader import LogReader
from sipguard.ledger.segment import log_directory
from sipguard.policy.directory import Directory
from sipguard.policy.pattern import split_block
from sipguard.policy.rules import Mode
from sipguard.policy.trunk import Side, Trunk
from sipguard.registry import Registry
from sipguard.registry.call_lists import CallListEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.registry.values import shown_number, shown_time
from sipguard.runtime.composition import Node
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

_MOST_ACCOUNTS = 20  # whose calls from the number are tried
_MOST_RIGHTS = 1000
_FEW = 5
_LEFT_OUT = (
    "destination.country", "destination.premium", "destination.do-not-call", "destination.hours",
    "destination.repeated", "limit.rate", "limit.concurrent",
)  # fmt: skip
_INVITE = (
    "INVITE sip:+{tn}@192.0.2.0 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.0;branch=z9hG4bKexplain\r\nMax-Forwards: 70\r\n"
    "From: <sip:+{tn}@192.0.2.0>;tag=explain\r\nTo: <sip:+{tn}@192.0.2.0>\r\nCall-ID: explain\r\n"
    "CSeq: 1 INVITE\r\nContact: <sip:192.0.2.0>\r\nContent-Length: 0\r\n\r\n"
)


def number_facts(configuration: Configuration, tn: TN, source: str | None) -> dict[str, object]:
    """Everything about a number. ``source`` is the only trunk to try calls from, if one is named."""
    registry = Registry(configuration.registry_url)
    node = node_of(configuration)
    now = UnixTime(int(time.time()))
    reader = LogReader(log_directory(configuration.node.state))
    recent = recent_calls(reader, now - DAY, lambda record: _concerns(record, tn))
    users = _users(node.view.directory, tn, now)
    listed = registry.lists.matching(tn)
    return {
        "number": shown_number(tn),
        "revision": revision_of(node),
        "rights": [_right(entry, now) for entry in _rights(registry, tn)],
        "used_by": users[:_MOST_ACCOUNTS],
        "used_by_count": len(users),
        "emergency": _emergency(node.view.directory, tn, now),
        "do_not_originate": [
            {
                "pattern": shown_number(entry.pattern),
                "source": entry.source,
                "expires": shown_time(entry.expires),
                "in_force": entry.expires is None or entry.expires > now,
            }
            for entry in listed
        ],
        "do_not_call": [_wish(entry, now) for entry in registry.call_lists.matching(tn)],
        "calls_to_it": _home(node.view.directory, tn),
        "calls_from_it": [_outcome(_about_callers(node), trunk, tn) for trunk in _trunks(node, users, source)],
        "last_calls": recent.last(),
        "audit": [audit_record(entry, True) for entry in registry.history(tn)[:_FEW]],
    }


def known(facts: Mapping[str, object]) -> bool:
    """Whether the registry says anything of a number."""
    return any(facts[name] for name in ("rights", "emergency", "do_not_originate", "do_not_call"))


def _rights(registry: Registry, tn: TN) -> list[NumberEntry]:
    """The rights to the very number and to the blocks it is in, the nearest first."""
    found = [entry for entry in registry.numbers.search(tn, _MOST_RIGHTS) if len(entry.tn) == len(tn)]
    return sorted(found, key=lambda entry: -len(entry.tn.rstrip("X")))


def _right(entry: NumberEntry, now: UnixTime) -> dict[str, object]:
    return {
        "for": "number" if split_block(entry.tn) is None else "block",
        "pattern": shown_number(entry.tn),
        "account": entry.account,
        "kind": entry.kind,
        "expires": shown_time(entry.expires),
        "in_force": entry.expires is None or entry.expires > now,
        "end_user": entry.end_user,
        "trunk": entry.trunk,
        "max_calls": entry.max_calls,
    }


def _wish(entry: CallListEntry, now: UnixTime) -> dict[str, object]:
    return {
        "list": entry.on_list.value,
        "account": entry.account or None,
        "pattern": shown_number(entry.pattern),
        "source": entry.source,
        "expires": shown_time(entry.expires),
        "in_force": entry.expires is None or entry.expires > now,
    }


def _users(directory: Directory, tn: TN, now: UnixTime) -> list[dict[str, object]]:
    """The accounts that may call from it, by their own right or by that of an account above them."""
    found: list[dict[str, object]] = []
    for account in directory.accounts.values():
        right = directory.right(tn, account.name, now)
        if right is not None:
            found.append({"account": account.name, "right": right.kind.name.lower(), "held_by": right.account})
    return found


def _emergency(directory: Directory, tn: TN, now: UnixTime) -> dict[str, object] | None:
    registration = directory.emergency(tn)
    if registration is None:
        return None
    return {
        "account": registration.account,
        "country": registration.country,
        "status": registration.status,
        "paid": registration.paid,
        "in_force": registration.in_force(now),
        "activated": shown_time(registration.activated_at),
        "location": registration.location,
        "unit": registration.unit,
        "callback": None if registration.callback is None else shown_number(registration.callback),
    }


def _home(directory: Directory, tn: TN) -> dict[str, object]:
    """Where a call to the number would go, as the route stage finds it."""
    home = directory.home(tn)
    if home is None:
        return {"answer": "404 by destination.unknown"}
    trunk = directory.home_trunk(home)
    if trunk is None or not trunk.targets:
        return {"account": home.account, "answer": "480 by destination.no-route"}
    return {"account": home.account, "trunk": trunk.name, "targets": [target.uri for target in trunk.targets]}


def _trunks(node: Node, users: list[dict[str, object]], source: str | None) -> list[Trunk]:
    if source is not None:
        return [trunk_named(node, source)]
    names = {str(user["account"]) for user in users[:_MOST_ACCOUNTS]}
    trunks = node.view.directory.trunks.values()
    return [trunk for trunk in trunks if trunk.side is Side.CUSTOMER and trunk.account in names]


def _about_callers(node: Node) -> Node:
    policy = node.view.policy
    modes = {**policy.modes, **dict.fromkeys(_LEFT_OUT, Mode.OFF)}
    scopes = {rule: scope for rule, scope in policy.scopes.items() if rule not in _LEFT_OUT}
    return replace(node, view=replace(node.view, policy=replace(policy, modes=modes, scopes=scopes)))


def _outcome(node: Node, trunk: Trunk, tn: TN) -> dict[str, object]:
    """What would be decided about a call from the number by this trunk."""
    replay = Replay(node, trunk)
    try:
        replay.run(_INVITE.format(tn=tn).encode())
    except SipguardError as error:
        return {"trunk": trunk.name, "account": trunk.account, "why": str(error)}
    record: Mapping[str, Any] = replay.record or {}
    attested = next((entry for entry in record.get("trail", ()) if entry[0] == "attest"), None)
    return {
        "trunk": trunk.name,
        "account": trunk.account,
        "decision": record.get("decision"),
        "attest": record.get("attest"),
        "why": attested[2] if attested is not None else record.get("detail"),
        "rule": record.get("rule"),
        "code": record.get("code"),
        "class": record.get("traffic_class"),
        "tags": list(record.get("tags", ())),
        "signed": record.get("identity_sent") is not None,
    }


def _concerns(record: Mapping[str, Any], tn: TN) -> bool:
    """Whether a decision is about a call from or to the number."""
    calling, called = record.get("calling") or {}, record.get("called") or {}
    numbers = (calling.get("effective"), calling.get("from"), called.get("request_uri"), called.get("to"))
    return tn in numbers or tn in (calling.get("asserted") or ())
