"""What only shows when configuration and registry meet: trunks of accounts that are not there, numbers on no trunk."""

from collections.abc import Iterable, Iterator, Mapping

from sipguard.config import Configuration, TrunkSection
from sipguard.config.checks import certificate_problem, overlapping
from sipguard.config.suggestion import suggestion
from sipguard.config.tls_checks import claimed_names
from sipguard.errors import Problem
from sipguard.policy.directory import Directory
from sipguard.policy.trunk import Side, TrafficClass
from sipguard.policy.unprovisioned import Unprovisioned

_CLASS_OF: Mapping[Unprovisioned | None, TrafficClass] = {
    Unprovisioned.ANNOUNCE: TrafficClass.ANNOUNCEMENT,
    Unprovisioned.ROUTE_TO_ECRC: TrafficClass.ECRC,
}


def shadowed_trunks(configuration: Configuration, kept: Iterable[TrunkSection]) -> Iterator[Problem]:
    """The trunks of the registry whose names the configuration has too."""
    names = {section.name for section in configuration.trunk}
    for section in kept:
        if section.name in names:
            yield Problem(f"trunk.{section.name}.name", "the registry has a trunk of this name too; remove one of them")


def directory_problems(
    configuration: Configuration, directory: Directory, number_trunks: Iterable[str]
) -> Iterator[Problem]:
    """Every disagreement between the configuration and the directory made from it.

    ``number_trunks`` are the trunks that numbers of the registry are to be reached by.
    """
    transports = {listener.transport for listener in configuration.listener}
    for trunk in directory.trunks.values():
        key = f"trunk.{trunk.name}"
        if trunk.account is not None and directory.account(trunk.account) is None:
            near = suggestion(trunk.account, directory.accounts)
            yield Problem(f"{key}.account", f'the registry has no account "{trunk.account}"{near}')
        if trunk.side is Side.CUSTOMER:
            yield from certificate_problem(key, trunk.certificate, configuration.stir.sign.certificates)
        for target in trunk.targets:
            if target.transport is not None and target.transport not in transports:
                yield Problem(f"{key}.targets", f'no {target.transport} listener can send to "{target.uri}"')
            if target.transport == "tls" and trunk.tls_ca is None and configuration.tls.ca is None:
                yield Problem(f"{key}.tls_ca", "or tls.ca is required by a TLS target: whose certificates are believed")
    yield from _unknown_accounts(configuration, directory)
    yield from _other_realms(configuration, directory)
    yield from _unprovisioned(configuration, directory)
    for account in directory.accounts.values():
        if account.certificate is not None:
            key = f"registry.accounts.{account.name}"
            yield from certificate_problem(key, account.certificate, configuration.stir.sign.certificates)
    yield from overlapping(directory.trunks.values())
    yield from claimed_names((f"trunk.{trunk.name}", trunk.tls_names) for trunk in directory.trunks.values())
    for name in number_trunks:
        if name not in directory.trunks:
            near = suggestion(name, directory.trunks)
            yield Problem("registry.numbers.trunk", f'numbers are routed to trunk "{name}", which is not there{near}')


def _unprovisioned(configuration: Configuration, directory: Directory) -> Iterator[Problem]:
    """Choices about unprovisioned emergency calls that no trunk carries out."""
    section = configuration.policy.emergency
    choices = {"unprovisioned": section.unprovisioned}
    choices |= {f"unprovisioned_by_country.{name}": choice for name, choice in section.unprovisioned_by_country.items()}
    accounts = directory.accounts.values()
    chosen: list[tuple[str, Unprovisioned | None]] = [
        (f"policy.emergency.{key}", choice) for key, choice in choices.items()
    ]
    chosen += [(f"registry.accounts.{account.name}", account.emergency_unprovisioned) for account in accounts]
    for key, choice in chosen:
        traffic_class = _CLASS_OF.get(choice)
        if traffic_class is not None and not directory.egress(traffic_class):
            yield Problem(key, f"{choice} needs a network trunk with targets and class {traffic_class}")


def _unknown_accounts(configuration: Configuration, directory: Directory) -> Iterator[Problem]:
    for key, accounts in (
        ("limits.calls.accounts", configuration.limits.calls.accounts),
        ("policy.destinations.velocity.accounts", configuration.policy.destinations.velocity.accounts),
    ):
        for name in accounts:
            if directory.account(name) is None:
                near = suggestion(name, directory.accounts)
                yield Problem(f"{key}.{name}", f'the registry has no account "{name}"{near}')


def _other_realms(configuration: Configuration, directory: Directory) -> Iterator[Problem]:
    """Trunks all of whose credentials are for another realm, or for algorithms that are not offered: nobody gets in."""
    realms: dict[str, set[str]] = {}
    usable = set()
    for credential in directory.credentials:
        realms.setdefault(credential.trunk, set()).add(credential.realm)
        if credential.realm == configuration.realm and credential.algorithm in configuration.digest.algorithms:
            usable.add(credential.trunk)
    for name, known in realms.items():
        trunk = directory.trunks.get(name)
        if trunk is not None and trunk.digest and name not in usable:
            yield Problem(
                f"trunk.{name}.digest",
                f'its credentials (realm {", ".join(sorted(known))}) fit neither digest.realm "{configuration.realm}" '
                "nor digest.algorithms; set them anew with: sipguard trunk credential set",
            )
