"""``sipguard policy``: the published table of rules, with the modes in force."""

import time
from typing import Annotated

import typer

from sipguard.cli.commands import DEFAULT_CONFIG, ConfigOption, JsonOption, checked, noun
from sipguard.cli.output import show
from sipguard.cli.rule_matches import matches_of
from sipguard.config import load
from sipguard.config.call_limits import CallLimitsSection
from sipguard.config.rule import RuleSection
from sipguard.ledger.reader import LogReader
from sipguard.ledger.segment import log_directory
from sipguard.policy.rules import TABLE, Mode
from sipguard.registry.values import past

app = noun("policy", "The rules every call is judged by.", "sipguard policy show")


@app.command("show", epilog="Example: sipguard policy show --json")
def show_rules(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the rules in the order they are asked, with the mode in force and the answer of each."""
    configuration = load(config)
    policy, limits = configuration.policy, configuration.limits.calls
    records = [
        {
            "rule": rule.name,
            "mode": (policy.rules[rule.name].mode if rule.name in policy.rules else None) or rule.mode,
            "default": rule.mode,
            "family": rule.family,
            "answer": rule.answer,
            "exceptions": _exceptions(policy.rules.get(rule.name)),
            "throttle": _throttle(limits, policy.rules.get(rule.name)),
            "meaning": rule.meaning,
            "revision": policy.revision,
        }
        for rule in TABLE
    ]
    show(records, as_json)


def _exceptions(section: RuleSection | None) -> list[str]:
    if section is None:
        return []
    exceptions = {**section.exceptions, **dict.fromkeys(section.allow, Mode.OFF)}
    return [f"{name}={mode}" for name, mode in exceptions.items()]


def _throttle(limits: CallLimitsSection, section: RuleSection | None) -> str:
    """How fast, and how many at a time, calls go on where the rule is in mode throttle; empty where it is nowhere."""
    if section is None or Mode.THROTTLE not in (section.mode, *section.exceptions.values()):
        return ""
    limit = (section.throttle or limits.throttle).limit()
    figures = [f"{limit.rate:g} a second"] if limit.rate else []
    figures += [f"{limit.concurrent} at a time"] if limit.concurrent else []
    return ", ".join(figures)


@app.command("report", epilog="Example: sipguard policy report --since 7d")
def report(
    since: Annotated[str, typer.Option(help="How far back: 7d, 12h, 2026-11-01.", metavar="WHEN")] = "7d",
    rule: Annotated[str | None, typer.Option(help="Only this rule.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Say what the rules in mode report would have refused, by account, before they are switched on.

    Read from the attestation log: calls that a rule matched, of how many the account made, and one of them to look at.
    Of rules in mode throttle: how many went on (throttled), and how many were too many (refused).
    """
    with checked():
        start = past(since, int(time.time()))
    reader = LogReader(log_directory(load(config).node.state))
    matches = matches_of(reader.records(), start, rule, account)
    show([match.record() for match in matches], as_json, "no rule would have refused a call")


@app.callback()
def group() -> None:
    """The rules every call is judged by."""
