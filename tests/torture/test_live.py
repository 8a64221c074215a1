"""The torture messages of RFC 4475 and RFC 5118 through a real proxy process, over UDP and over TCP.

One process takes the whole corpus: every message from a stranger of its own on the customer's side, and after each of
them a normal call must complete through the same listener, with no alarm counted and no traceback printed.
``answers.csv`` holds what this proxy says to each (a firewall refuses what the proxies of the RFC would forward: the
callers there own no number here), and one test holds that table against what the index says a proxy may do.
"""

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sipguard.errors import MalformedMessage, MalformedValue
from sipguard.sip.parser import parse
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import StiCa
from tests.runtime.live_node import LiveNode, live_node
from tests.torture.peers import STRANGERS, Customer, Datagrams, Stream
from tests.torture.test_engine import INDEX, OUR_RULES, VECTORS

pytestmark = pytest.mark.live
MAGIC = "z9hG4bK"  # RFC 3261 §8.1.1.7
STALLED = 1.0  # seconds a message may take to arrive, and a sweep a second
SETTINGS = f"""
[[trunk]]
name = "stranger"
side = "customer"
account = "acme"
sources = ["{STRANGERS}"]
targets = ["sip:127.0.0.1:9"]
[limits]
message_timeout = {STALLED}
[stir.sign.certificates.default]
certificate = "chain.pem"
key = "leaf.key"
url = "https://certificates.example/chain.pem"
"""


class Case(NamedTuple):
    """One file of the corpus and what comes back: codes in their order, then what becomes of the connection.

    ``udp`` is ``drop`` or a code. ``tcp`` holds codes, then ``open`` (the next message is read), ``closed`` (at once)
    or ``stalled`` (the rest of a message is waited for, and the connection closed in time).
    """

    file: str
    udp: str
    tcp: str

    def data(self, transport: str) -> bytes:
        """The octets, with a branch that no other case and no other transport has.

        Some of the corpus share one, and all of it is sent twice: to one process the second would be a retransmission
        of the first, whose answer goes to who sent the first.
        """
        octets = (VECTORS / self.file).read_bytes()
        try:
            branch = parse(octets).via.branch or ""
        except (MalformedMessage, MalformedValue):
            return octets
        mark = transport + self.file.replace("-", "")
        return octets.replace(branch.encode(), branch.encode() + mark.encode(), 1) if branch > MAGIC else octets


CASES = [Case(**row) for row in csv.DictReader((Path(__file__).parent / "answers.csv").read_text().splitlines())]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.file for case in CASES])


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNode]:
    """The one process; closing it fails when it ever printed a traceback or logged a bug."""
    directory = tmp_path_factory.mktemp("node")
    issued = StiCa.create(UnixTime(int(time.time()))).issue()
    (directory / "chain.pem").write_bytes(issued.chain_pem)
    (directory / "leaf.key").write_bytes(issued.key_pem)
    (directory / "leaf.key").chmod(0o600)
    with live_node(directory, SETTINGS) as running:
        yield running


def unharmed(node: LiveNode) -> None:
    """Nothing happened that an operator would have to look at."""
    assert node.metric("sipguard_alarms") == 0
    assert [line for line in node.lines if line.get("level") == "error"] == []


@pytest.mark.clause(
    "RFC 4475", "RFC 5118", "MSG-07", "MSG-08", "MSG-09", "MSG-10", "MSG-13", "MSG-14", "MSG-20", "MSG-31"
)
@every_case
def test_over_udp(node: LiveNode, case: Case) -> None:
    """Each message gets the answer of the table, or none at all, and a call completes after it."""
    with Datagrams(node) as stranger:
        stranger.send(case.data("udp"))
        if case.udp != "drop":
            heard = final(stranger)
            assert heard[:12].decode() == f"SIP/2.0 {case.udp} "
        Customer(node).call(f"udp-{case.file}")
        if case.udp == "drop":
            assert stranger.hear(0) is None
    unharmed(node)


@pytest.mark.clause("RFC 4475", "RFC 5118", "MSG-11", "MSG-14", "MSG-31")
@every_case
def test_over_tcp(node: LiveNode, case: Case) -> None:
    """Each message gets the answers of the table on its connection, and a call completes after it: on that connection
    where framing holds, on a new one otherwise."""
    *codes, fate = case.tcp.split()
    with Stream(node) as stranger:
        stranger.send(case.data("tcp"))
        assert [final(stranger)[8:11].decode() for _ in codes] == codes
        if fate == "open":
            Customer(node, stranger).call(f"tcp-{case.file}")
        elif fate == "closed":
            assert stranger.hear() is None
            assert stranger.closed
        if fate != "open":
            with Stream(node) as other:
                Customer(node, other).call(f"tcp-{case.file}")
    unharmed(node)


@pytest.mark.clause("RFC 4475 3.1.2.2", "TRN-05", "MSG-11")
def test_what_never_ends_is_cut_off(node: LiveNode) -> None:
    """A message whose end does not come costs its connection after the configured time, and nobody else's."""
    stalled = [case for case in CASES if case.tcp.endswith("stalled")]
    assert {"rfc4475-clerr.sip", "rfc5118-ipv6-good.raw-lf"} <= {case.file for case in stalled}
    strangers = [Stream(node) for _ in stalled]
    for stranger, case in zip(strangers, stalled, strict=True):
        stranger.send(case.data("tls"))
    for stranger in strangers:
        while stranger.hear(STALLED + 3) is not None:
            pass
        assert stranger.closed
        stranger.__exit__(None, None, None)
    Customer(node).call("after-the-stalled")
    unharmed(node)


@pytest.mark.clause("RFC 4475 3.1.1.12", "RFC 4475 3.1.1.13", "MSG-30", "MSG-32")
@pytest.mark.parametrize("file", ["rfc4475-unreason.sip", "rfc4475-noreason.sip"])
def test_reason_phrases_of_the_corpus(node: LiveNode, file: str) -> None:
    """As the answer to a call, a status line of the corpus reaches the caller octet for octet (100 made 486)."""
    line = (VECTORS / file).read_bytes().partition(b"\r\n")[0].replace(b" 100 ", b" 486 ")
    node.invite(f"reason-{file}")
    arrived = node.carrier.receive("INVITE ")
    node.carrier.socket.sendto(node.carrier.answer_text(arrived, "200 OK").replace(b"SIP/2.0 200 OK", line), node.proxy)
    heard = node.customer.receive("SIP/2.0 100 Trying") and node.customer.receive("SIP/2.0 ")
    assert heard.encode("latin-1").startswith(line + b"\r\n")
    if b" 486 " in line:
        node.carrier.receive("ACK ")  # or a later call would find it
    unharmed(node)


@pytest.mark.clause("RFC 4475", "RFC 5118")
def test_the_table_says_what_a_proxy_may() -> None:
    """Every file of the corpus is in the table, and every answer in it is one the index allows."""
    files = {path.name for path in VECTORS.iterdir()} - {"index.json"}
    assert {case.file for case in CASES} == files
    acceptable = {entry["file"]: set(entry["proxy_acceptable"]) for entry in INDEX}
    for case in CASES:
        allowed = acceptable.get(case.file, {"drop"} if case.file.endswith("raw-lf") else {"forward"})
        if allowed & {"forward", "forward-repaired"}:
            allowed |= OUR_RULES
        if "process-response" in allowed:
            allowed = {"drop"}  # it answers nothing that was asked
        assert {case.udp} <= allowed | ({"400"} if "drop" in allowed else set()), case


def final(stranger: Datagrams | Stream) -> bytes:
    """The next final response, which must come."""
    while (heard := stranger.hear()) is not None:
        if not heard.startswith(b"SIP/2.0 1"):
            return heard
    raise AssertionError("no final response")
