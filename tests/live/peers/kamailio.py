"""Kamailio as a neighbour: started with the configuration beside this file, waited for, ended."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scenarios import lifeline
from tests.live.peers.sipp import FlowError

MODULES = next(iter(sorted(Path("/usr/lib").glob("*/kamailio/modules/tm.so"))), None)
BINARY = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
_CONFIGURATION = Path(__file__).with_name("kamailio.cfg")
_PATIENCE = 20.0


def installed() -> bool:
    """Whether it is there."""
    return BINARY is not None and MODULES is not None


@contextmanager
def running(
    directory: Path, listeners: list[str], values: dict[str, str], configuration: Path = _CONFIGURATION
) -> Iterator[None]:
    """Run it on these listeners (``udp:127.0.0.51:5060``) until the context is left."""
    filled = {"MODULES": f"{MODULES.parent}/" if MODULES else ""} | values
    command = [
        BINARY or "kamailio", "-DD", "-E", "-f", str(configuration), "-m", "32", "-M", "8",
        "-Y", str(directory), "-w", str(directory), "-P", str(directory / "kamailio.pid"),
        *(part for listener in listeners for part in ("-l", listener)),
        *(part for name, value in filled.items() for part in ("--substdef", f"!@{name}@!{value}!")),
    ]  # fmt: skip
    log = directory / "kamailio.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=lifeline.die_with_parent
        )
    try:
        _await(process, listeners[0].split(":")[1:], log)
        yield
        assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        finally:
            process.kill()


def _await(process: "subprocess.Popen[bytes]", place: list[str], log: Path) -> None:
    """Ask until it answers."""
    host, port = place[0], int(place[1])
    deadline = time.monotonic() + _PATIENCE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.05)
        probe.bind((host, 0))
        own = "{}:{}".format(*probe.getsockname())
        rows = (
            f"OPTIONS sip:{host}:{port} SIP/2.0", f"Via: SIP/2.0/UDP {own};branch=z9hG4bK-probe;rport",
            "Max-Forwards: 5", "From: <sip:probe@localhost>;tag=1", f"To: <sip:{host}>", "Call-ID: probe",
            "CSeq: 1 OPTIONS", "Content-Length: 0", "", "",
        )  # fmt: skip
        while process.poll() is None and time.monotonic() < deadline:
            probe.sendto("\r\n".join(rows).encode(), (host, port))
            try:
                if probe.recv(4096).startswith(b"SIP/2.0 200"):
                    return
            except OSError:
                continue
    raise FlowError(f"Kamailio did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")
