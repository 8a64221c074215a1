"""The demo's small world: one proxy between three customers and five neighbours, all on loopback.

Every party has an address of 127/8 of its own, because a trunk is recognised by its source address. Ports are free.
Numbers are from the ranges kept for fiction (+1 NPA 555 01XX).
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scenarios.driver import Agent, Stage
from scenarios.node import Node
from scenarios.repository import Repository

ACME, DIALCO, DORMANT, STRANGER = "127.0.0.21", "127.0.0.22", "127.0.0.23", "127.0.0.29"
CONVERSATIONAL, SEGREGATED, EMERGENCY = "127.0.0.31", "127.0.0.32", "127.0.0.33"
STRICT, LENIENT = "127.0.0.41", "127.0.0.42"

OWNED, PROVISIONED, INBOUND_ONLY, VERIFIED = "14155550100", "14155550101", "14155550102", "14155550140"
DIALER, SLEEPING, FORGED, FRIEND = "13125550150", "16465550160", "12025550199", "17185550170"
OUTSIDE = "12125550123"  # a number in the rest of the world

_MAKE = Path(__file__).resolve().parent.parent / "certs" / "make.py"


@dataclass(frozen=True, slots=True)
class Certificates:
    """What ``certs/make.py`` wrote, for this operator and for another carrier."""

    own: Path
    other: Path

    OWN_PATH = "/chain.pem"
    OTHER_PATH = "/other-carrier.pem"

    @classmethod
    def make(cls, directory: Path) -> "Certificates":
        """Make a TEST authority for this operator and one for another carrier, replacing what is there."""
        made = cls(directory, directory / "other-carrier")
        for where, code in ((made.own, "1234"), (made.other, "5678")):
            subprocess.run(
                [sys.executable, str(_MAKE), str(where), "--spc", code],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=60,
            )  # fmt: skip
        return made

    @property
    def served(self) -> dict[str, Path]:
        """The chains the repository gives out."""
        return {self.OWN_PATH: self.own / "chain.pem", self.OTHER_PATH: self.other / "chain.pem"}

    def anchors(self, directory: Path) -> Path:
        """One file with the roots of both authorities."""
        file = directory / "anchors.pem"
        file.write_bytes((self.own / "anchors.pem").read_bytes() + (self.other / "anchors.pem").read_bytes())
        return file


@dataclass(frozen=True, slots=True)
class Parties:
    """The SIPp agents that take calls."""

    conversational: Agent
    segregated: Agent
    emergency: Agent
    acme: Agent

    @classmethod
    def on(cls, stage: Stage) -> "Parties":
        """Start them."""
        return cls(
            stage.server("carrier_uas", CONVERSATIONAL),
            stage.server("carrier_uas", SEGREGATED),
            stage.server("carrier_uas", EMERGENCY),
            stage.server("customer_uas", ACME),
        )

    @property
    def by_name(self) -> dict[str, Agent]:
        """The agents by trunk name."""
        return {
            "conversational": self.conversational,
            "segregated": self.segregated,
            "emergency": self.emergency,
            "acme-pbx": self.acme,
        }


def trunk(name: str, side: str, source: str, *lines: str) -> str:
    """One ``[[trunk]]`` of the configuration."""
    return "\n".join(("[[trunk]]", f'name = "{name}"', f'side = "{side}"', f'sources = ["{source}"]', *lines, ""))


def configuration(parties: Parties, certificates: Certificates, repository: Repository, directory: Path) -> str:
    """The sections of ``sipguard.toml`` that make this world."""
    trunks = (
        trunk("acme-pbx", "customer", ACME, 'account = "acme"', f'targets = ["{parties.acme.uri}"]'),
        trunk("dialco-pbx", "customer", DIALCO, 'account = "dialco"'),
        trunk("dormant-pbx", "customer", DORMANT, 'account = "dormant"'),
        trunk(
            "conversational", "network", CONVERSATIONAL, f'targets = ["{parties.conversational.uri}"]', "trusted = true"
        ),
        trunk("segregated", "network", SEGREGATED, f'targets = ["{parties.segregated.uri}"]', 'classes = ["dialer"]'),
        trunk("emergency", "network", EMERGENCY, f'targets = ["{parties.emergency.uri}"]', 'classes = ["emergency"]'),
        trunk("strict", "network", STRICT, 'on_failure = "reject"'),
        trunk("lenient", "network", LENIENT, 'on_failure = "tag"'),
    )
    return (
        "\n".join(trunks)
        + f"""
[stir.sign.certificates.default]
certificate = "{certificates.own / "chain.pem"}"
key = "{certificates.own / "leaf.key"}"
url = "{repository.url(certificates.OWN_PATH)}"

[stir.verify]
anchors = "{certificates.anchors(directory)}"
allow_private_hosts = ["localhost"]
https_ca = "{certificates.own / "https-ca.pem"}"

[policy]
revision = "demo"
rules."robodial.tag".mode = "divert"
"""
    )


def provision(node: Node) -> None:
    """Fill the registry through the command line, as an operator would."""
    node.load("account", "name,state", ("acme,active", "dialco,active", "dormant,suspended"))
    node.load(
        "number",
        "number,account,kind",
        (
            f"+{OWNED},acme,owned",
            f"+{PROVISIONED},acme,owned",
            f"+{INBOUND_ONLY},acme,owned",
            f"+{VERIFIED},acme,verified",
            f"+{DIALER},dialco,owned",
            f"+{SLEEPING},dormant,owned",
        ),
    )
    node.load(
        "emergency",
        "number,account,country,status,paid,location",
        (f'+{PROVISIONED},acme,US,registered,yes,"1 Main St, Suite 5, Springfield"',),
    )
    node.load("list", "pattern,action,source", (f"+{INBOUND_ONLY},block,inbound-only", "+1999XXXXXXX,block,unassigned"))


@dataclass(frozen=True, slots=True)
class World:
    """Everything, set up and running."""

    stage: Stage
    node: Node
    parties: Parties
    certificates: Certificates
    repository: Repository


@contextmanager
def world(
    directory: Path, certificates: Certificates, extra: str = "", registry: Path | None = None
) -> Iterator[World]:
    """Set everything up in ``directory`` and start it; all of it is ended when the context is left.

    ``extra`` is put before the sections of the configuration: more trunks, say. ``registry`` is a filled one to copy,
    which saves the commands.
    """
    repository = Repository(certificates.own / "https.pem", certificates.own / "https.key", certificates.served)
    with repository, Stage(directory / "sipp") as stage, Node(directory) as node:
        parties = Parties.on(stage)
        node.configure(extra + configuration(parties, certificates, repository, directory))
        if registry is None:
            provision(node)
        else:
            shutil.copy(registry, node.registry)
        node.start()
        yield World(stage, node, parties, certificates, repository)
