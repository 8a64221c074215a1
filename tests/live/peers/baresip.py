"""baresip as a telephone: headless, with real RTP, told what to do and asked what happened over its control socket.

It plays a tone from a file and has no loudspeaker. Its trace (``-s``) holds every message it wrote and read.
"""

import json
import math
import re
import select
import shutil
import socket
import struct
import subprocess
import time
import wave
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from scenarios import lifeline
from scenarios.driver import free_port
from scenarios.trace import Traced
from tests.live.peers.sipp import FlowError

MODULES = next((path for path in map(Path, ("/usr/lib/baresip/modules",)) if (path / "ctrl_tcp.so").exists()), None)
PATIENCE = 15.0
_TRACED = re.compile(rb"#\n(?:UDP|TCP|TLS) \S+ -> \S+\n(.*?)\x1b\[;m", re.DOTALL)
_CONFIG = """poll_method epoll
sip_listen {host}:{port}
net_interface {host}
call_max_calls 4
audio_source aufile,{tone}
module_path {modules}
module g711.so
module aufile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
"""


def installed() -> bool:
    """Whether it is there, with the modules that are needed."""
    return shutil.which("baresip") is not None and MODULES is not None


class Phone(AbstractContextManager["Phone"]):
    """One baresip with one account: ``number`` at ``place``, calling through ``proxy`` over ``transport``."""

    def __init__(
        self, directory: Path, place: tuple[str, int], number: str, proxy: tuple[str, int], transport: str = "udp"
    ) -> None:
        """Start it; it is ready when this returns."""
        directory.mkdir()
        host, port = self.place = place
        self._events: list[dict[str, Any]] = []
        self._rest = b""
        self._log = directory / "log"
        control = free_port(host, "tcp")
        tone = _tone(directory / "tone.wav")
        text = _CONFIG.format(host=host, port=port, tone=tone, modules=MODULES, control=control)
        (directory / "config").write_text(text)
        (directory / "contacts").touch()
        outbound = f'"sip:{proxy[0]}:{proxy[1]};transport={transport}"'
        account = f"<sip:+{number}@{host};transport={transport}>;regint=0;answermode=auto;outbound={outbound}\n"
        (directory / "accounts").write_text(account)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["baresip", "-f", str(directory), "-s"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lifeline.die_with_parent,
            )  # fmt: skip
        try:
            self._control = self._connect((host, control))
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self._control.close()
        self.close()

    def close(self) -> None:
        """Leave no process behind."""
        self._process.terminate()
        try:
            self._process.wait(3.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE)

    def _connect(self, place: tuple[str, int]) -> socket.socket:
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                return socket.create_connection(place, 1.0)
            except OSError:
                time.sleep(0.02)
        raise FlowError(f"baresip did not start:\n{self._log.read_text('utf-8', 'replace')}")

    def command(self, name: str, parameters: str = "") -> None:
        """Do something: ``dial``, ``hold``, ``resume``, ``transfer``, ``hangup``."""
        text = json.dumps({"command": name, "params": parameters}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))

    def await_event(self, kind: str, param: str = "") -> None:
        """Wait for the next event of a kind, in words that begin like ``param``; each is found once."""
        deadline = time.monotonic() + PATIENCE
        while (found := self._find(kind, param)) is None:
            if not select.select([self._control], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise FlowError(f"no {kind} {param} at {self.place}: {self._events}\n{self._log.read_text('latin-1')}")
            self._rest += self._control.recv(65536)
            self._events += self._netstrings()
        self._events.remove(found)

    def _find(self, kind: str, param: str) -> dict[str, Any] | None:
        events = (e for e in self._events if e.get("type") == kind and e.get("param", "").startswith(param))
        return next(events, None)

    def _netstrings(self) -> Iterator[dict[str, Any]]:
        """The whole events that have arrived."""
        while (split := self._rest.partition(b":"))[1] and len(split[2]) > int(split[0]):
            text, self._rest = split[2][: int(split[0])], split[2][int(split[0]) + 1 :]
            yield json.loads(text)

    @property
    def messages(self) -> tuple[Traced, ...]:
        """Everything it has written and read so far.

        Which of the two is told by Via, for addresses in the trace are those of connections: a request of its own has
        one, the answer to that too, and there is a proxy on every way here.
        """
        texts = [text.removesuffix(b"\n").decode("latin-1") for text in _TRACED.findall(self._log.read_bytes())]
        return tuple(Traced((_vias(text) == 1) is not text.startswith("SIP/2.0 "), text) for text in texts)


def _vias(text: str) -> int:
    return text.partition("\r\n\r\n")[0].count("\r\nVia:")


def _tone(path: Path) -> Path:
    """A minute of 440 Hz."""
    second = b"".join(struct.pack("<h", int(8000 * math.sin(i * math.tau * 440 / 8000))) for i in range(8000))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(second * 60)
    return path
