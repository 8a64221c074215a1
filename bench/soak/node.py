"""The proxy under the soak: signing and verifying with TEST certificates, log on disk, a trunk on either side."""

import json
import re
import urllib.request
from pathlib import Path

from bench.soak.network import CARRIER, CUSTOMER, Network, Wire
from scenarios.node import Node
from scenarios.repository import Repository
from scenarios.topology import Certificates, trunk

ACCOUNT = "soak"
NUMBERS = tuple(f"+1415555{n:04}" for n in range(1000, 3000))
LATE = "alarm.loop-lag"  # the machine was busy with something else
_METRIC = re.compile(r"^(?P<name>[a-z_]+)(?P<labels>\{[^}]*\})? (?P<value>\S+)$", re.ASCII | re.MULTILINE)


def configure(
    node: Node, network: Network, wires: dict[str, Wire], certificates: Certificates, repository: Repository, t1: float
) -> None:
    """Write the configuration and fill the registry. The carrier's first target is dead, so some calls meet ICMP."""
    customer, carrier = wires[CUSTOMER], wires[CARRIER]
    targets = [f"{network.dead_target()};priority=1"]
    targets += [f"{uri};priority={place}" for place, uri in enumerate(carrier.targets, 2)]
    sections = (
        f"[timers]\nt1 = {t1}\n",
        "[health]\nretry_after = 5.0\n",
        trunk(
            "pbx", "customer", customer.source, f'account = "{ACCOUNT}"', f"targets = {json.dumps(customer.targets)}"
        ),
        trunk("carrier", "network", carrier.source, f"targets = {json.dumps(targets)}", 'on_failure = "reject"'),
        f"""[stir.sign.certificates.default]
certificate = "{certificates.own / "chain.pem"}"
key = "{certificates.own / "leaf.key"}"
url = "{repository.url(certificates.OWN_PATH)}"

[stir.verify]
anchors = "{certificates.anchors(node.directory)}"
allow_private_hosts = ["localhost"]
https_ca = "{certificates.own / "https-ca.pem"}"
""",
    )
    node.configure("\n".join(sections))
    node.load("account", "name,state", (f"{ACCOUNT},active",))
    node.load("number", "number,account,kind", [f"{number},{ACCOUNT},owned" for number in NUMBERS])
    node.load("list", "pattern,action,source", [f"+1999{n:03}XXXX,block,soak" for n in range(100)])


def metrics(node: Node) -> dict[str, float]:
    """What ``/metrics`` says, by name with labels."""
    with urllib.request.urlopen(f"http://{node.admin}/metrics", timeout=10.0) as answer:
        text = answer.read().decode()
    return {found["name"] + (found["labels"] or ""): float(found["value"]) for found in _METRIC.finditer(text)}


def complaints(log: Path) -> tuple[list[str], dict[str, int]]:
    """The error lines of the node's log, and how many warnings there are by event."""
    errors, warnings = [], dict[str, int]()
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.startswith("{"):
                errors.append(line.rstrip("\n"))
                continue
            entry = json.loads(line)
            if entry["event"] == LATE:
                continue  # counted among the alarms
            if entry["level"] == "error":
                errors.append(line.rstrip("\n"))
            elif entry["level"] == "warning":
                warnings[entry["event"]] = warnings.get(entry["event"], 0) + 1
    return errors, warnings
