"""What only shows when configuration and registry meet: trunks of accounts that are not there, numbers on no trunk."""

from collections.abc import Iterable, Iterator

from sipguard.config import Configuration, TrunkSection
from sipguard.config.checks import certificate_problem, overlapping
from sipguard.config.suggestion import suggestion
from sipguard.config.tls_checks import claimed_names
from sipguard.errors import Problem
from sipguard.policy.directory import Directory, Side


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
    yield from _other_realms(configuration, directory)
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
