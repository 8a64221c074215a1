"""Starts Kamailio with the configuration beside this file."""

import shutil
import socket
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.far_carrier import FarCarrier
from bench.process import BenchError, Program
from scenarios.driver import free_port

_CONFIGURATION = Path(__file__).with_name("kamailio.cfg")
_HOST = "127.0.0.1"


def start(directory: Path, carrier: str, far: FarCarrier | None = None) -> tuple[Program, tuple[str, int]]:
    """Start it, routing to ``carrier``, and say where it listens: it signs, or verifies the calls of ``far``.

    Raises BenchError when it is not installed.
    """
    binary = shutil.which("kamailio") or shutil.which("/usr/sbin/kamailio")
    modules = next(iter(sorted(Path("/usr/lib").glob("**/kamailio/modules/secsipid.so"))), None)
    if binary is None or modules is None:
        raise BenchError("Kamailio and its secsipid module are not installed (make bench installs them)")
    port = free_port(_HOST)
    values = {"MODULES": f"{modules.parent}/", "CARRIER": carrier} | _task(directory, far)
    substitutions = [part for name, value in values.items() for part in ("--substdef", f"!@{name}@!{value}!")]
    command = [
        binary, "-DD", "-E", "-f", str(_CONFIGURATION), "-l", f"udp:{_HOST}:{port}", "-m", "256", "-M", "16",
        "-Y", str(directory), "-w", str(directory), "-P", str(directory / "kamailio.pid"), *substitutions,
    ]  # fmt: skip
    if far is not None:
        # Go takes the authorities of a repository's TLS from this file instead of the system's.
        command = ["/usr/bin/env", f"SSL_CERT_FILE={far.https_ca}", *command, "-A", "VERIFY"]
    program = Program(command, directory / "kamailio.log")
    try:
        program.until(lambda: _answers((_HOST, port)))
    except BaseException:
        program.__exit__(None, None, None)
        raise
    return program, (_HOST, port)


def _task(directory: Path, far: FarCarrier | None) -> dict[str, str]:
    """What the configuration needs to sign, or to verify."""
    if far is None:
        return {"KEY": str(_key(directory)), "URL": "https://certificates.example/leaf.pem"}
    cache = directory / "certificates"
    cache.mkdir()
    return {"CACHE": str(cache), "ANCHORS": str(far.anchors)}


def _key(directory: Path) -> Path:
    file = directory / "kamailio.key"
    key = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return file


def _answers(address: tuple[str, int]) -> bool:
    """Whether a SIP server answers a request it does not serve."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        probe.bind((_HOST, 0))
        host, port = probe.getsockname()
        via = f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK-probe;rport"
        lines = (
            "OPTIONS sip:probe@127.0.0.1 SIP/2.0", via, "Max-Forwards: 5", "From: <sip:probe@127.0.0.1>;tag=1",
            "To: <sip:probe@127.0.0.1>", "Call-ID: probe", "CSeq: 1 OPTIONS", "Content-Length: 0", "", "",
        )  # fmt: skip
        probe.sendto("\r\n".join(lines).encode(), address)
        try:
            return probe.recv(4096).startswith(b"SIP/2.0 ")
        except OSError:
            return False
