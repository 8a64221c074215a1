"""SIPVicious against a real process on loopback: it finds no device and no extension, and its source is banned."""

import configparser
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.live_node import PATIENCE, LiveNode, Neighbour

ATTACKER, CUSTOMER = "127.0.0.1", "127.0.0.3"  # svwar always comes from the first; the second is the trunk's
FAIL2BAN = Path(__file__).parents[2] / "docs" / "fail2ban"
DISGUISED = "[scanners]\nuser_agents = []\nusers = 2\n"  # as if the tool had another name; it gives up after two
GUESSING = """
[[trunk]]
name = "acme-roaming"
side = "customer"
account = "acme"
digest = true
[digest]
algorithms = ["MD5"]  # the tool knows no other
[scanners]
user_agents = []
digest_failures = 5
"""

pytestmark = pytest.mark.live


@contextlib.contextmanager
def attacked_node(directory: Path, more: str = "") -> Iterator[LiveNode]:
    """A running node to which the attacker's address is nobody's."""
    node = LiveNode(directory)
    node.customer.socket.close()
    node.customer = Neighbour(CUSTOMER)
    node.write_configuration(more)
    text = node.config.read_text().replace('sources = ["127.0.0.1"]', f'sources = ["{CUSTOMER}"]')
    node.config.write_text(text.replace("sip:127.0.0.1:", f"sip:{CUSTOMER}:"))
    node.fill_registry()
    try:
        node.start()
        node.wait_for("ready")
        yield node
    finally:
        node.close()


def sipvicious(tool: str, node: LiveNode, *options: str) -> str:
    """Run one of its tools against the proxy, from the attacker's address; what it printed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as place:
        place.bind((ATTACKER, 0))
        port = str(place.getsockname()[1])
    command = [
        str(Path(sys.executable).with_name(f"sipvicious_{tool}")), "-x", ATTACKER, "-P", port, "-p", str(node.port),
        *options, "127.0.0.1",
    ]  # fmt: skip
    home = os.environ | {"HOME": str(node.directory)}  # it leaves its sessions there
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, env=home, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


def is_answered(node: LiveNode, who: Neighbour) -> bool:
    """Whether a question from there is answered before the trunk's, which was asked after it."""
    for neighbour in (who, node.customer):
        rows = (
            f"OPTIONS sip:127.0.0.1:{node.port} SIP/2.0",
            f"Via: SIP/2.0/UDP {neighbour.host}:{neighbour.port};branch=z9hG4bKalive;rport",
            f"From: <sip:{neighbour.host}>;tag=1", f"To: <sip:127.0.0.1:{node.port}>", f"Call-ID: alive-{who.host}",
            "CSeq: 1 OPTIONS", "Max-Forwards: 70", "Content-Length: 0",
        )  # fmt: skip
        neighbour.socket.sendto(("\r\n".join(rows) + "\r\n\r\n").encode(), node.proxy)
    assert node.customer.receive("SIP/2.0").startswith("SIP/2.0 200")
    who.socket.settimeout(0.2)
    try:
        who.socket.recv(65_535)
    except TimeoutError:
        return False
    return True


def banned(node: LiveNode) -> str:
    """The line of the attacker's ban, as it is in the log."""
    node.wait_for("source.banned")
    return next(line for line in node.raw if '"source.banned"' in line)


def read_by_fail2ban(line: str) -> str | None:
    """The source that the published filter finds in a line; ``<HOST>`` is what fail2ban puts there for addresses."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(FAIL2BAN / "filter.conf")
    pattern = parser["Definition"]["failregex"].replace("<HOST>", r"(?P<host>[0-9A-Fa-f:.]+)")
    found = re.search(pattern, line)
    return None if found is None else found["host"]


def test_svmap_finds_nothing_and_is_banned(tmp_path: Path) -> None:
    """Its first datagram says who it is: no answer, a ban, and no answer to anything that follows."""
    with attacked_node(tmp_path) as node:
        output = sipvicious("svmap", node)
        assert "SIP Device" not in output
        assert "found nothing" in output
        assert node.wait_for("source.banned")["rule"] == "scan.user-agent"
        attacker = Neighbour(ATTACKER)
        try:
            assert not is_answered(node, attacker)
        finally:
            attacker.socket.close()
        assert node.metric("sipguard_banned_sources") == 1
        assert node.metric("sipguard_banned_messages_total") >= 1
        assert node.metric('sipguard_bans_total{rule="scan.user-agent"}') == 1


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
@pytest.mark.parametrize(("more", "rule"), [("", "scan.user-agent"), (DISGUISED, "scan.users")])
def test_svwar_finds_no_extension_and_is_banned(tmp_path: Path, method: str, more: str, rule: str) -> None:
    """Under its own name it hears nothing at all; under another it hears the same of every user, and then nothing."""
    with attacked_node(tmp_path, more) as node:
        output = sipvicious("svwar", node, "-e", "100-160", "-m", method, "--force", "--maximumtime", "2")
        assert not re.search(r"exists|reqauth|noauth|weird|\| *1[0-6][0-9] *\|", output), output
        assert node.wait_for("source.banned")["rule"] == rule, output
        attacker = Neighbour(ATTACKER)
        try:
            assert not is_answered(node, attacker)
        finally:
            attacker.socket.close()


def test_svcrack_finds_no_password_and_is_banned(tmp_path: Path) -> None:
    """Under another name it may guess a few times."""
    with attacked_node(tmp_path, GUESSING) as node:
        output = sipvicious("svcrack", node, "-u", "acme-user", "-m", "OPTIONS", "-e", "100", "-r", "100-160")
        assert "found nothing" in output, output
        line = node.wait_for("source.banned")
        assert (line["source"], line["rule"]) == (ATTACKER, "scan.digest"), output
        assert node.metric('sipguard_digest_total{outcome="wrong"}') == 5


def test_fail2ban_reads_the_line(tmp_path: Path) -> None:
    """The published filter finds the source in the line of a real run, and in no other line of it."""
    with attacked_node(tmp_path) as node:
        sipvicious("svmap", node)
        line = banned(node)
        assert read_by_fail2ban(line) == ATTACKER
        assert [found for found in map(read_by_fail2ban, node.raw) if found] == [ATTACKER]
        raw = list(node.raw)
    program = shutil.which("fail2ban-regex")
    if program is None:
        return
    log = tmp_path / "sipguard.log"
    log.write_text("".join(raw))
    command = [program, "--print-no-missed", "--print-no-ignored", "-v", str(log), str(FAIL2BAN / "filter.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failregex: 1 total" in done.stdout
    assert ATTACKER in done.stdout
