"""Network namespaces, by the few calls of the kernel that Python 3.11 does not have.

Namespaces have no names here: each lives as long as a process in it, so nothing is left behind whatever happens.
"""

import array
import ctypes
import fcntl
import os
import socket
import struct
import subprocess

from bench.process import BenchError
from scenarios import lifeline

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_IFREQ = struct.Struct("16sP16x")


def leave() -> None:
    """Give this process a network of its own, with nothing in it but a loopback that is down. Raises OSError."""
    if _LIBC.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def begin_apart() -> None:
    """For a child, before it becomes its program: a network of its own, and an end with its parent."""
    lifeline.die_with_parent()
    leave()


def ip(*words: str, inside: int | None = None) -> None:
    """Run ``ip WORDS``, in the network of process ``inside``. Raises BenchError."""
    enter = [] if inside is None else ["nsenter", f"--net=/proc/{inside}/ns/net"]
    done = subprocess.run([*enter, "ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def without_offload(interface: str) -> None:
    """Have checksums in the frames of an interface: whoever reads them with a packet socket gets them as they are."""
    value = array.array("B", struct.pack("II", _ETHTOOL_STXCSUM, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = _IFREQ.pack(interface.encode(), value.buffer_info()[0])
        fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
