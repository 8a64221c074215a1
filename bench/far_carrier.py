"""The carrier at the far end of a verified call: its certificate, its repository, and a PASSporT for each of its calls.

Made with PyJWT, not with sipguard. No token comes twice, and each is dated at the second its call is placed.
"""

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.load import DOMAIN, OWNED, Load, Traffic
from scenarios.passport import OtherCarrier
from scenarios.repository import Repository

_ROOT = Path(__file__).resolve().parent.parent
_PATH = "/leaf.pem"
_FIRST_CALLER = 12025550000


class FarCarrier(ExitStack):
    """A TEST authority and its certificate in ``directory``, served over HTTPS on loopback while the context lasts."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        make = [sys.executable, str(_ROOT / "certs" / "make.py"), str(directory), "--spc", "5678"]
        subprocess.run(make, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        self.anchors = directory / "anchors.pem"
        self.https_ca = directory / "https-ca.pem"
        served = {_PATH: directory / "chain.pem"}
        self.repository = self.enter_context(Repository(directory / "https.pem", directory / "https.key", served))
        self._carrier = OtherCarrier(directory / "leaf.key", self.repository.url(_PATH))

    @property
    def fetched(self) -> int:
        """How often the certificate was asked for."""
        return self.repository.fetched[_PATH]

    def traffic(self, directory: Path, load: Load) -> Traffic:
        """Signed calls to owned numbers."""
        now = time.time() + 1  # SIPp takes a moment to start
        rows = ["SEQUENTIAL"]
        for n in range(load.calls):
            calling, called = str(_FIRST_CALLER + n), OWNED[n % len(OWNED)]
            identity = self._carrier.identity(calling, called.lstrip("+"), int(now + n / load.rate))
            rows.append(f"+{calling};{called};{identity.partition(';')[0]};")
        file = directory / "signed.csv"
        file.write_text("\n".join(rows) + "\n")
        return Traffic("signed_load_uac", file, {"domain": DOMAIN, "x5u": self._carrier.url})
