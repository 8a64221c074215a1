"""TLS with a proxy of another make: Kamailio as carrier, which we verify and which verifies us."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipguard.testing.tls_ca import write
from tests.runtime.live_node import NUMBER, PATIENCE, LiveNode, Neighbour
from tests.runtime.test_tls_live import CA, CONFIGURATION, customer, invite, routes_of, rows_of

MODULE = next(iter(Path("/usr/lib").glob("*/kamailio/modules/tls.so")), None)

pytestmark = pytest.mark.skipif(
    shutil.which("kamailio") is None or MODULE is None, reason="Kamailio with its TLS module is not installed"
)

SCRIPT = """#!KAMAILIO
debug=0
log_stderror=yes
children=1
enable_tls=yes
mpath="{modules}"
listen=tls:127.0.0.2:{secure}
listen=udp:127.0.0.2:{plain}
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
modparam("tls", "config", "{directory}/tls.cfg")
request_route {{
    if (has_totag()) {{
        if (loose_route()) t_relay();
        exit;
    }}
    if (is_method("INVITE")) {{
        record_route();
        $du = "sip:127.0.0.3:{far}";
        t_relay();
        exit;
    }}
    sl_send_reply("405", "Method Not Allowed");
}}
"""
TLS = """[{side}:default]
method = TLSv1.2+
certificate = {directory}/carrier.pem
private_key = {directory}/carrier.key
ca_list = {directory}/ca.pem
verify_certificate = yes
"""


@contextlib.contextmanager
def kamailio(directory: Path, far: int) -> Iterator[int]:
    """A running Kamailio that passes calls to 127.0.0.3; its TLS port."""
    secure, plain = (_free_port() for _ in range(2))
    write(CA.issue("sip.carrier.example"), directory, "carrier")
    CA.write(directory, "ca")
    server = TLS.format(side="server", directory=directory) + "require_certificate = yes\n"
    (directory / "tls.cfg").write_text(server + TLS.format(side="client", directory=directory))
    script = directory / "kamailio.cfg"
    modules = f"{MODULE.parent}/" if MODULE is not None else ""
    script.write_text(SCRIPT.format(modules=modules, secure=secure, plain=plain, far=far, directory=directory))
    log = (directory / "kamailio.log").open("w")
    command = ["kamailio", "-f", str(script), "-DD", "-E", "-m", "32", "-M", "8", "-Y", str(directory)]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await_port(secure, process)
        yield secure
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        log.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.2", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.2", port), 1):
            return
        time.sleep(0.05)
    pytest.fail("Kamailio did not start")


@pytest.mark.clause("TRN-08", "TRN-12", "RFC 5922 7.3")
def test_a_call_through_kamailio_over_tls(tmp_path: Path) -> None:
    """INVITE, 200, ACK and the BYE of the called side, over TLS in both directions between the two proxies.

    Kamailio finds its way back over TLS by transport=tls only, hence ``transport_parameter``.
    """
    far = Neighbour("127.0.0.3")
    with kamailio(tmp_path, far.port) as carrier, node_before(tmp_path, carrier) as node:
        pbx = customer(tmp_path, node, CA.issue("pbx.acme.example"))
        invite(pbx, 5071)
        request, proxy = receive(far, "INVITE")
        far.answer(request, "200 OK", proxy)
        ok = pbx.receive("SIP/2.0 200")
        to = next(row for row in rows_of(ok) if row.startswith("To:"))
        pbx.send(
            f"ACK sip:{far.host}:{far.port} SIP/2.0", "Via: SIP/2.0/TLS 127.0.0.1:5071;branch=z9hG4bKack",
            "Max-Forwards: 70", f"From: <sip:{NUMBER}@127.0.0.1>;tag=caller", to, "Call-ID: tls-1", "CSeq: 1 ACK",
            *reversed(routes_of(ok)),
        )  # fmt: skip
        receive(far, "ACK")
        bye = (
            "BYE sip:pbx@127.0.0.1:5071 SIP/2.0", f"Via: SIP/2.0/UDP {far.host}:{far.port};branch=z9hG4bKbye;rport",
            "Max-Forwards: 70", *routes_of(request), "From: <sip:x@127.0.0.1>;tag=carrier",
            f"To: <sip:{NUMBER}@127.0.0.1>;tag=caller", "Call-ID: tls-1", "CSeq: 1 BYE", "Content-Length: 0",
        )  # fmt: skip
        far.socket.sendto(("\r\n".join(bye) + "\r\n\r\n").encode(), proxy)
        pbx.answer(pbx.receive("BYE sip:pbx@"), "200 OK", "sip:pbx@127.0.0.1:5071")
        receive(far, "SIP/2.0 200")
        node.until(lambda: [record["event"] for record in node.log.records()] == ["decision", "answer", "end"])
        pbx.raw.close()
    far.socket.close()


@contextlib.contextmanager
def node_before(directory: Path, carrier: int) -> Iterator[LiveNode]:
    """A running node that sends calls to Kamailio."""
    node = LiveNode(directory)
    write(CA.issue("edge.example"), directory, "edge")
    text = CONFIGURATION.format(port=node.port, admin=node.admin, carrier=carrier)
    node.config.write_text(text.replace('client_ca = "ca.pem"', 'client_ca = "ca.pem"\ntransport_parameter = true'))
    node.fill_registry()
    try:
        node.start()
        node.wait_for("ready")
        yield node
    finally:
        node.close()


def receive(neighbour: Neighbour, start: str) -> tuple[str, tuple[str, int]]:
    """The next message that starts like this, and where it came from."""
    while True:
        octets, source = neighbour.socket.recvfrom(65_535)
        if octets.startswith(start.encode()):
            return octets.decode("latin-1"), source
