"""Writes a TEST STIR/SHAKEN authority and its certificates into a directory: ``python certs/make.py DIRECTORY``.

For tests and demonstrations only: nobody vouches for these certificates, and nobody else must trust them. The keys of
the root and the intermediate are thrown away once they have signed, so nothing more can be issued from them. Private
keys that are written get mode 0600 from the start.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import Shape, StiCa, issue_server, pem

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def make(directory: Path, now: UnixTime, *, spc: str = "1234", hosts: tuple[str, ...] = LOOPBACK) -> dict[str, Path]:
    """Make everything anew in ``directory``; returns the paths by file name."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = StiCa.create(now)
    leaf = authority.issue(Shape(entries=TnAuthList((spc,))), common_name=f"SHAKEN {spc}")
    server, server_authority = issue_server(now, hosts)
    files = {
        "root.pem": authority.root.certificate_pem,
        "intermediate.pem": authority.intermediate.certificate_pem,
        "anchors.pem": authority.anchors_pem,
        "chain.pem": leaf.chain_pem,
        "leaf.key": leaf.key_pem,
        "https-ca.pem": pem(server_authority),
        "https.pem": server.certificate_pem,
        "https.key": server.key_pem,
    }
    return {name: _write(directory / name, content) for name, content in files.items()}


def _write(path: Path, content: bytes) -> Path:
    """Replace a file; a key is never readable by others, not even for a moment."""
    path.unlink(missing_ok=True)
    mode = 0o600 if path.suffix == ".key" else 0o644
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
    return path


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make TEST STIR/SHAKEN certificates. Never trust them.")
    parser.add_argument("directory", type=Path, help="where the files go; files of an earlier run are replaced")
    parser.add_argument("--spc", default="1234", help="service provider code in the TNAuthList (default: 1234)")
    parser.add_argument("--host", action="append", help="name or address of the HTTPS server (default: loopback)")
    arguments = parser.parse_args()
    hosts = tuple(arguments.host) if arguments.host else LOOPBACK
    for path in make(arguments.directory, UnixTime(int(time.time())), spc=arguments.spc, hosts=hosts).values():
        print(path)


if __name__ == "__main__":
    main()
