"""``sipguard trunk``: SIP neighbours, those of the configuration file and those of the registry."""

from pathlib import Path
from typing import Annotated

import typer

from sipguard.cli import credential
from sipguard.cli.commands import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    checked,
    noun,
    open_registry,
    require_certificate,
)
from sipguard.cli.output import done, show
from sipguard.config import TrunkSection, load
from sipguard.config.section import SYSTEM_AUTHORITIES
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.trunk import OnMismatch, Side, TrafficClass
from sipguard.registry import Registry
from sipguard.registry.trunks import trunk_of

app = noun(
    "trunk",
    "SIP neighbours. Trunks of the configuration file are shown here and changed there.",
    "sipguard trunk list",
)
app.add_typer(credential.app)

Name = Annotated[str, typer.Argument(help="The trunk's name.", show_default=False)]
Consequence = Annotated[str | None, typer.Option(help="tag or reject; without it, as the policy says.")]


@app.command(epilog="Example: sipguard trunk add acme-pbx --side customer --account acme --source 203.0.113.5")
def add(
    name: Name,
    side: Annotated[Side, typer.Option(help="Which side of the proxy it is on.", show_default=False)],
    account: Annotated[str | None, typer.Option(help="A customer trunk's account.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="An address or network its calls come from.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="A next hop, sip:host:port;transport=udp.")] = None,
    traffic_class: Annotated[
        list[TrafficClass] | None, typer.Option("--class", help="What it carries; conversational without it.")
    ] = None,
    trusted: Annotated[bool, typer.Option("--trusted", help="It is in the trust domain (RFC 3325).")] = False,
    on_mismatch: Annotated[
        OnMismatch, typer.Option(help="When it presents a number its account may not use.")
    ] = OnMismatch.REJECT,
    default_number: Annotated[str | None, typer.Option(help="The number put in by --on-mismatch replace.")] = None,
    forwarding: Annotated[
        Forwarding, typer.Option(help="What lets a call pass that was diverted from a number of its account.")
    ] = Forwarding.REFUSE,
    country: Annotated[str, typer.Option(help="How it writes national numbers.", metavar="CC")] = "US",
    on_failure: Consequence = None,
    on_unavailable: Consequence = None,
    require_identity: Annotated[
        bool | None, typer.Option("--require-identity/--allow-unsigned", help="Refuse unsigned calls.")
    ] = None,
    certificate: Annotated[str, typer.Option(help="The certificate its calls are signed with.")] = "default",
    behind_nat: Annotated[
        bool, typer.Option("--behind-nat", help="In a call it is sent to where its own requests came from.")
    ] = False,
    gateway: Annotated[bool, typer.Option("--gateway", help="It brings calls of others, signed C if at all.")] = False,
    response_timeout: Annotated[
        float | None, typer.Option(help="Seconds without any response until a call goes to the next target.")
    ] = None,
    ring_timeout: Annotated[float | None, typer.Option(help="Seconds a target may take to answer a call.")] = None,
    follow_redirects: Annotated[
        bool, typer.Option("--follow-redirects", help="Follow a 3xx that names another target of the call's trunks.")
    ] = False,
    overload_control: Annotated[
        bool, typer.Option("--overload-control", help="Its servers may say how much traffic they want (RFC 7339).")
    ] = False,
    tls_name: Annotated[
        list[str] | None, typer.Option(help="A name in its certificate, by which its TLS connections are known.")
    ] = None,
    tls_ca: Annotated[
        str | None, typer.Option(help="File of the authorities of its TLS targets, or system.", metavar="FILE")
    ] = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Its calls prove themselves by sipguard trunk credential.")
    ] = False,
    username: Annotated[str | None, typer.Option(help="Our user name at a carrier that asks for credentials.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="The file with our password there, readable by its owner only.", metavar="FILE")
    ] = None,
    realm: Annotated[str | None, typer.Option(help="The only realm that may ask for it.")] = None,
    max_rate: Annotated[float | None, typer.Option(help="Calls a second that it may bring.")] = None,
    max_calls: Annotated[int | None, typer.Option(help="Calls at a time that it may bring.")] = None,
    egress_max_rate: Annotated[float | None, typer.Option(help="Calls a second that may leave to it.")] = None,
    egress_max_calls: Annotated[int | None, typer.Option(help="Calls at a time that may leave to it.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add a trunk to the registry, or replace the one of this name."""
    values: dict[str, object] = {
        "name": name, "side": side, "account": account, "sources": source, "targets": target, "classes": traffic_class,
        "trusted": trusted or None, "on_mismatch": on_mismatch, "default_number": default_number, "country": country,
        "forwarding": forwarding,
        "on_failure": on_failure, "on_unavailable": on_unavailable, "require_identity": require_identity,
        "certificate": certificate, "gateway": gateway or None, "behind_nat": behind_nat or None,
        "tls_names": tls_name,
        "tls_ca": _absolute(tls_ca), "response_timeout": response_timeout, "ring_timeout": ring_timeout,
        "digest": digest or None,
        "follow_redirects": follow_redirects or None,
        "username": username, "realm": realm,
        "password_file": None if password_file is None else str(password_file.absolute()),
        "overload_control": overload_control or None,
        "limit": _limit(max_rate, max_calls), "egress_limit": _limit(egress_max_rate, egress_max_calls),
    }  # fmt: skip
    trunk = trunk_of({key: value for key, value in values.items() if value is not None})
    if side is Side.CUSTOMER:
        with checked():
            require_certificate(config, certificate)
    open_registry(config).trunks.add(trunk)
    done(f"trunk {name} added", trunk.model_dump(mode="json"), as_json)


def _limit(rate: float | None, concurrent: int | None) -> dict[str, float] | None:
    """A limit of what was given; None when nothing was."""
    given = {"rate": rate, "concurrent": concurrent}
    return {key: value for key, value in given.items() if value is not None} or None


@app.command(epilog="Example: sipguard trunk remove acme-pbx")
def remove(name: Name, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Remove a trunk from the registry."""
    open_registry(config).trunks.remove(name)
    done(f"trunk {name} removed", {"name": name}, as_json)


@app.command("list", epilog="Example: sipguard trunk list --json")
def show_all(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the trunks, and where each is kept."""
    configuration = load(config)
    records = [_record(trunk, "configuration") for trunk in configuration.trunk]
    records += [_record(trunk, "registry") for trunk in Registry(configuration.registry_url).trunks.list()]
    show(records, as_json, "no trunks")


def _record(trunk: TrunkSection, kept_in: str) -> dict[str, object]:
    record = trunk.model_dump(mode="json")
    record["classes"] = sorted(record["classes"])
    return record | {"kept_in": kept_in}


def _absolute(authorities: str | None) -> str | None:
    """The registry is read from any directory."""
    if authorities is None or authorities == SYSTEM_AUTHORITIES:
        return authorities
    return str(Path(authorities).absolute())
