"""A SoftHSM 2 token for tests. The key is made in the token, by a process of its own, and never leaves it.

python -m tests.runtime.softhsm MODULE TOKEN PIN KEY     makes a key pair and prints the public half (DER, hex)
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sipguard.testing.sti_ca import Issued, Shape, StiCa

LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
PIN = "271828"
ROOT = Path(__file__).parents[2]


def library() -> Path:
    """SoftHSM's module; skips the test where there is none."""
    if shutil.which("softhsm2-util") is None:
        pytest.skip("softhsm2-util is not installed (Debian package softhsm2)")
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed (extra hsm)")
    for path in LIBRARIES:
        if Path(path).exists():
            return Path(path)
    pytest.skip("libsofthsm2.so is in none of the usual places")


class PublicHalf:
    """What an authority needs of a key that is elsewhere."""

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key = key

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The key to certify."""
        return self._key


@dataclass
class SoftToken:
    """A token in a directory of its own; ``environment`` makes a process see it."""

    directory: Path
    module: Path
    label: str

    @classmethod
    def create(cls, directory: Path, label: str = "sipguard") -> "SoftToken":
        """An initialised token, empty."""
        token = cls(directory, library(), label)
        (directory / "tokens").mkdir()
        (directory / "softhsm2.conf").write_text(f"directories.tokendir = {directory / 'tokens'}\nlog.level = ERROR\n")
        (directory / "pin").touch(0o600)
        (directory / "pin").write_text(f"{PIN}\n")
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", PIN, "--pin", PIN]
        subprocess.run(command, env=token.environment, check=True, capture_output=True, timeout=20)
        return token

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find the token."""
        return {**os.environ, "SOFTHSM2_CONF": str(self.directory / "softhsm2.conf")}

    def uri(self, key: str = "shaken") -> str:
        """The RFC 7512 URI of a key."""
        return f"pkcs11:token={self.label};object={key}?module-path={self.module}&pin-source=file:{self.directory}/pin"

    def generate(self, key: str = "shaken") -> ec.EllipticCurvePublicKey:
        """A key pair in the token; the public half."""
        command = [sys.executable, "-m", "tests.runtime.softhsm", str(self.module), self.label, PIN, key]
        done = subprocess.run(
            command, env=self.environment, check=True, capture_output=True, timeout=20, cwd=ROOT, text=True
        )
        public_key = load_der_public_key(bytes.fromhex(done.stdout))
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        return public_key

    def certificate(self, authority: StiCa, key: str = "shaken", shape: Shape | None = None) -> Issued:
        """A new key and its certificate, which is written to ``leaf.pem``."""
        issued = authority.issue(shape, key=PublicHalf(self.generate(key)))  # type: ignore[arg-type]
        (self.directory / "leaf.pem").write_bytes(issued.chain_pem)
        return issued

    def lose(self) -> None:
        """The token goes, as when somebody pulls the plug."""
        (self.directory / "tokens").rename(self.directory / "lost")
        (self.directory / "tokens").mkdir()

    def find(self) -> None:
        """It is back."""
        (self.directory / "tokens").rmdir()
        (self.directory / "lost").rename(self.directory / "tokens")


def generate(module: str, token: str, pin: str, label: str) -> bytes:
    """A P-256 key pair made in the token, the private half sensitive and not extractable; the public half in DER."""
    import pkcs11
    from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

    with pkcs11.lib(module).get_token(token_label=token).open(rw=True, user_pin=pin) as session:
        curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        parameters = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
        public, private = parameters.generate_keypair(
            store=True,
            label=label,
            private_template={pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False},
        )
        if private[pkcs11.Attribute.EXTRACTABLE] or not private[pkcs11.Attribute.SENSITIVE]:
            raise SystemExit("the key could leave the token")
        return encode_ec_public_key(public)


if __name__ == "__main__":
    print(generate(*sys.argv[1:]).hex())
