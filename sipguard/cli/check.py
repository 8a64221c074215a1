"""``sipguard check``: everything that would keep the proxy from starting, before it is started."""

import json
from datetime import UTC, datetime

import typer

from sipguard.cli.commands import DEFAULT_CONFIG, ConfigOption, JsonOption
from sipguard.cli.output import say
from sipguard.config import Configuration, load
from sipguard.errors import ConfigurationError
from sipguard.policy.trunk import TrafficClass
from sipguard.registry.database import shown_url
from sipguard.runtime.composition import Node, build
from sipguard.runtime.tls import unnamed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check", epilog="Example: sipguard check --config sipguard.toml")(check)


def check(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Check the configuration, its files and the registry; report every problem at once.

    The registry is opened, and made when it is not there yet. Exit code 2 when anything is wrong.
    """
    try:
        configuration = load(config)
        node = build(configuration)
    except ConfigurationError as error:
        if not as_json:
            raise
        print(json.dumps({"ok": False, "problems": [problem._asdict() for problem in error.problems]}, indent=1))
        raise typer.Exit(2) from None
    summary, remarks = summarise(configuration, node), remark(configuration, node)
    if as_json:
        print(json.dumps({"ok": True, "problems": [], "summary": summary, "remarks": remarks}, indent=1))
        return
    print("configuration ok")
    for name, value in summary.items():
        print(f"  {name}: {(', '.join(value) or 'none') if isinstance(value, list) else value}")
    for text in remarks:
        say(f"note: {text}")


def summarise(configuration: Configuration, node: Node) -> dict[str, object]:
    """What the proxy would run with, in a few lines."""
    directory = node.view.directory
    return {
        "node": node.settings.node,
        "listeners": [f"{section.transport} {section.bind}" for section in configuration.listener],
        "trunks": [f"{trunk.name} ({trunk.side})" for trunk in directory.trunks.values()],
        "accounts": len(directory.accounts),
        "signing": [
            f"{name} (SPC {signer.spc}, until {datetime.fromtimestamp(signer.not_after, UTC):%Y-%m-%d})"
            for name, generations in node.view.signers.items()
            for signer in generations.signers
        ],
        "trust anchors": len(node.view.verification.anchors),
        "policy": node.view.policy.revision,
        "registry": shown_url(configuration.registry_url),
    }


def remark(configuration: Configuration, node: Node) -> list[str]:
    """What is allowed, but probably not meant."""
    view, remarks = node.view, [f"{node.damage}: it was made anew from the registry"] if node.damage else []
    if not view.signers:
        remarks.append("no signing certificate: calls leave unsigned, or are refused, as stir.sign.outage says")
    if not configuration.stir.verify.anchors:
        remarks.append("no stir.verify.anchors: no certificate is trusted, every signed call from the network fails")
    remarks += [
        f"listener {section.transport} {section.bind}: its certificate is not for {section.advertised.host}"
        for section in configuration.listener
        if unnamed(section)
    ]
    for traffic_class, consequence in (
        (TrafficClass.CONVERSATIONAL, "calls cannot leave"),
        (TrafficClass.DIALER, "tagged traffic has no segregated route"),
        (TrafficClass.EMERGENCY, "emergency calls have no route of their own"),
    ):
        if not view.directory.egress(traffic_class):
            remarks.append(f"no network trunk has class {traffic_class}: {consequence}")
    return remarks
