"""Starts sipguard with everything on: owned numbers, a do-not-originate list, the record log; it signs or verifies."""

import subprocess
import sys
from pathlib import Path

from bench.far_carrier import FarCarrier
from bench.load import CALLER, CARRIER, OWNED
from bench.process import Program
from scenarios.node import COMMAND, Node

_ROOT = Path(__file__).resolve().parent.parent


def start(directory: Path, carrier: str, far: FarCarrier | None = None) -> tuple[Program, tuple[str, int]]:
    """Start it, routing to ``carrier``, and say where it listens: it signs, or verifies the calls of ``far``."""
    node = Node(directory)
    return run(node, signing(directory / "certs", carrier) if far is None else _verifying(far, carrier)), node.address


def run(node: Node, sections: str) -> Program:
    """Start this node with these sections and everything the bench's calls need."""
    node.configure(sections)
    node.load("account", "name,state", ("load,active",))
    node.load("number", "number,account,kind", [f"{number},load,owned" for number in OWNED])
    node.load("list", "pattern,action,source", [f"+1999{n:03}XXXX,block,bench" for n in range(1000)])
    program = Program([str(COMMAND), "run", "--config", str(node.configuration)], node.log, grace=10.0)
    try:
        program.until(node.healthy)
    except BaseException:
        program.__exit__(None, None, None)
        raise
    return program


def signing(certificates: Path, carrier: str) -> str:
    """The sections of a node that signs calls of customers, with a certificate made in ``certificates``."""
    make = [sys.executable, str(_ROOT / "certs" / "make.py"), str(certificates)]
    subprocess.run(make, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return f"""
[[trunk]]
name = "pbx"
side = "customer"
account = "load"
sources = ["{CALLER}"]

[[trunk]]
name = "carrier"
side = "network"
sources = ["{CARRIER}"]
targets = ["{carrier}"]

[stir.sign.certificates.default]
certificate = "{certificates / "chain.pem"}"
key = "{certificates / "leaf.key"}"
url = "https://certificates.example/leaf.pem"

[stir.verify]
anchors = "{certificates / "anchors.pem"}"
"""


def _verifying(far: FarCarrier, pbx: str) -> str:
    return f"""
[[trunk]]
name = "carrier"
side = "network"
sources = ["{CALLER}"]
on_failure = "reject"
on_unavailable = "reject"
require_identity = true

[[trunk]]
name = "pbx"
side = "customer"
account = "load"
sources = ["{CARRIER}"]
targets = ["{pbx}"]

[stir.verify]
anchors = "{far.anchors}"
https_ca = "{far.https_ca}"
allow_private_hosts = ["localhost"]
"""
