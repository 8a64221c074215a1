"""Keys in hardware modules, against SoftHSM 2: they sign, they never leave, and losing them costs no call."""

import hashlib
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from sipguard.config.pkcs11_uri import HardwareKey
from sipguard.config.stir import SigningCertificate
from sipguard.errors import CertificateError
from sipguard.runtime import hardware_module as module_room
from sipguard.runtime.clock import Clock
from sipguard.runtime.hardware_key import HardwareSigningKey
from sipguard.runtime.hardware_module import HardwareModule, HardwareSignature, hardware_module
from sipguard.runtime.signing import load_generations
from sipguard.stir import base64url
from sipguard.stir.generations import Generations
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import StiCa, new_key
from tests.runtime.softhsm import SoftToken

NOW = UnixTime(1_800_000_000)
URL = "https://certificates.example/leaf.pem"
ORIG, DEST = TN("14155550100"), TN("14155550150")


class Ticking:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.clock = Clock(lambda: self.now, time.time)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    """A token of this test alone, visible to this process."""
    token = SoftToken.create(tmp_path, f"sipguard-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}")
    monkeypatch.setenv("SOFTHSM2_CONF", token.environment["SOFTHSM2_CONF"])
    return token


def entry(token: SoftToken, key: str = "shaken") -> SigningCertificate:
    """The configuration of a certificate whose key is in the token."""
    values = {"certificate": "leaf.pem", "key": token.uri(key), "url": URL}
    return SigningCertificate.model_validate(values, context={"directory": token.directory})


def loaded(token: SoftToken, key: str = "shaken") -> Generations:
    """The signer, loaded as the node loads it."""
    generations, problems = load_generations("default", [entry(token, key)], NOW)
    assert problems == []
    return generations


def refusal(token: SoftToken, key: str = "shaken") -> str:
    """Why it does not load."""
    _, problems = load_generations("default", [entry(token, key)], NOW)
    assert len(problems) == 1
    assert "\n" not in problems[0].message
    return problems[0].message


def place(token: SoftToken) -> HardwareKey:
    """Where the key is."""
    key = entry(token).key
    assert isinstance(key, HardwareKey)
    return key


@pytest.mark.clause("AS-29", "AS-27", "RFC 7512")
def test_a_key_in_a_token_signs(token: SoftToken) -> None:
    """The PASSporT verifies with the certificate's key; the private key is sensitive and not extractable."""
    issued = token.certificate(StiCa.create(NOW))
    signer = loaded(token).current(NOW)
    assert signer is not None
    value = signer.sign_shaken(ORIG, [DEST], "A", "origid", NOW)
    signed, _, signature = value.partition(";")[0].rpartition(".")
    octets = base64url.decode(signature)
    public_key = issued.certificate.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    der = encode_dss_signature(int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big"))
    public_key.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))


@pytest.mark.clause("AS-29")
def test_what_does_not_fit_is_one_line(token: SoftToken) -> None:
    """No such key, another certificate's key, no such token, a PIN that others can read: said before any call."""
    token.certificate(StiCa.create(NOW))
    assert "NoSuchKey" in refusal(token, "other")
    token.generate("second")
    assert "does not belong" in refusal(token, "second")
    absent = SoftToken(token.directory, token.module, "absent")
    assert "NoSuchToken" in refusal(absent)
    (token.directory / "pin").chmod(0o644)
    assert "chmod 600" in refusal(SoftToken(token.directory, token.module, "absent"))


@pytest.mark.clause("AS-29")
def test_a_refused_pin_is_tried_once(token: SoftToken) -> None:
    """A token locks after a few wrong PINs, so one that was refused is left alone until the file holds another."""
    token.certificate(StiCa.create(NOW))
    (token.directory / "pin").write_text("161803")
    assert "refused the PIN" in refusal(token)
    assert "not tried again" in refusal(token)
    (token.directory / "pin").write_text("271828")
    assert loaded(token).current(NOW) is not None


@pytest.mark.clause("AS-28")
def test_a_token_that_goes_and_comes_back(token: SoftToken) -> None:
    """While it is gone signing fails at once, after three failures without an attempt; later it signs again."""
    issued = token.certificate(StiCa.create(NOW))
    ticking = Ticking()
    key = HardwareSigningKey(place(token), hardware_module(token.module), ticking.clock, patience=5.0)
    assert key.belongs_to(issued.certificate.public_key())  # type: ignore[arg-type]
    token.lose()
    for _ in range(3):
        with pytest.raises(CertificateError):
            key.sign(b"x")
    with pytest.raises(CertificateError, match="left alone"):
        key.sign(b"x")
    token.find()
    with pytest.raises(CertificateError, match="left alone"):
        key.sign(b"x")
    ticking.now += 5.1
    assert len(key.sign(b"x")) == 64


@pytest.mark.clause("AS-28")
def test_a_reload_while_the_token_is_away(token: SoftToken) -> None:
    """The signer at hand is kept, since nothing about it changed; a new certificate has to wait for the token."""
    authority = StiCa.create(NOW)
    token.certificate(authority)
    before = loaded(token)
    token.lose()
    with pytest.raises(CertificateError):
        before.signers[0].sign_shaken(ORIG, [DEST], "A", "origid", NOW)
    again, problems = load_generations("default", [entry(token)], NOW, before)
    assert problems == []
    assert again.signers[0] is before.signers[0]
    (token.directory / "leaf.pem").write_bytes(authority.issue().chain_pem)
    _, problems = load_generations("default", [entry(token)], NOW, before)
    assert len(problems) == 1
    (token.directory / "leaf.pem").write_text("garbage")
    _, problems = load_generations("default", [entry(token)], NOW, before)
    assert len(problems) == 1


def test_another_key_in_the_same_place_does_not_sign(token: SoftToken) -> None:
    """A key that took the old one's label while the token was away signs nothing under the old certificate."""
    issued = token.certificate(StiCa.create(NOW))
    ticking = Ticking()
    key = HardwareSigningKey(place(token), hardware_module(token.module), ticking.clock, patience=5.0)
    assert key.belongs_to(issued.certificate.public_key())  # type: ignore[arg-type]
    token.lose()
    with pytest.raises(CertificateError):
        key.sign(b"x")
    (token.directory / "tokens").rmdir()
    (token.directory / "softhsm2.conf").write_text(f"directories.tokendir = {token.directory / 'other'}\n")
    (token.directory / "other").mkdir()
    other = token.directory / "new"
    other.mkdir()
    replaced = SoftToken.create(other, token.label)
    replaced.generate()
    (other / "tokens").rename(token.directory / "tokens")
    (token.directory / "softhsm2.conf").write_text(f"directories.tokendir = {token.directory / 'tokens'}\n")
    with pytest.raises(CertificateError, match="another key"):
        key.sign(b"x")


class FakeModule:
    """A module that answers as told."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked = 0

    def sign(self, place: HardwareKey, digest: bytes, patience: float) -> HardwareSignature:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, bytes)
        return HardwareSignature(answer, False)


NOWHERE = HardwareKey(Path("/module"), Path("/pin"), "token", None, "key", None)


def told(*answers: object) -> tuple[HardwareSigningKey, FakeModule, Ticking]:
    """A key of such a module."""
    module, ticking = FakeModule(*answers), Ticking()
    return HardwareSigningKey(NOWHERE, module, ticking.clock), module, ticking  # type: ignore[arg-type]


@pytest.mark.clause("AS-28")
def test_a_module_that_does_not_answer_is_asked_once(caplog: pytest.LogCaptureFixture) -> None:
    """One call waits for it; the calls of the next seconds don't; then one call asks again. Said once each way."""
    key, module, ticking = told(TimeoutError(), TimeoutError(), b"s" * 64)
    for seconds in (0, 1, 4.9):
        ticking.now = 100.0 + seconds
        with pytest.raises(CertificateError, match="does not answer"):
            key.sign(b"x")
    assert module.asked == 1
    ticking.now = 105.1
    with pytest.raises(CertificateError):
        key.sign(b"x")
    with pytest.raises(CertificateError):
        key.sign(b"x")
    assert module.asked == 2
    ticking.now = 111.0
    assert key.sign(b"x") == b"s" * 64
    said = [record.message for record in caplog.records]
    assert said == ["signing.key-lost", "signing.key-back"]


def test_a_single_failure_is_no_outage() -> None:
    """Two failures and a success, twice: the module is never left alone."""
    failure = CertificateError("busy")
    key, module, _ = told(*(failure, failure, b"s" * 64) * 2)
    for _ in range(2):
        for _ in range(2):
            with pytest.raises(CertificateError):
                key.sign(b"x")
        assert key.sign(b"x")
    assert module.asked == 6


class StuckLibrary:
    """Stands in for ``pkcs11.lib``: one key, whose signatures wait for a gate."""

    gate = threading.Event()

    def __init__(self, path: str) -> None:
        self.key = new_key()

    def get_token(self, **_: object) -> "StuckLibrary":
        return self

    def open(self, **_: object) -> "StuckLibrary":
        return self

    def get_key(self, **_: object) -> "StuckLibrary":
        return self

    def sign(self, digest: bytes, **_: object) -> bytes:
        assert self.gate.wait(20)
        r, s = decode_dss_signature(self.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _as_soon_as_free(module: HardwareModule, where: HardwareKey, digest: bytes) -> HardwareSignature:
    """The signature once the module has come back, bounded in time."""
    end = time.monotonic() + 10
    while True:
        try:
            return module.sign(where, digest, 10.0)
        except CertificateError:
            assert time.monotonic() < end


@pytest.mark.clause("AS-28")
def test_the_wait_for_a_module_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that hangs costs the waiting time and no more; its late answer goes to nobody."""
    pkcs11 = pytest.importorskip("pkcs11")
    monkeypatch.setattr(pkcs11, "lib", StuckLibrary)
    (tmp_path / "pin").touch(0o600)
    module = HardwareModule(tmp_path / "stuck.so")
    where = HardwareKey(tmp_path / "stuck.so", tmp_path / "pin", "token", None, "key", None)
    digest = hashlib.sha256(b"x").digest()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        module.sign(where, digest, 0.05)
    for _ in range(100):
        with pytest.raises(CertificateError, match="busy"):
            module.sign(where, digest, 0.05)
    assert time.monotonic() - began < 1.0
    StuckLibrary.gate.set()
    assert len(_as_soon_as_free(module, where, digest).octets) == 64


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(CertificateError, match=r"sipguard\[hsm\]"):
        HardwareModule(tmp_path / "x.so")


def test_a_library_that_is_none(tmp_path: Path) -> None:
    """A path that is no PKCS #11 module is one line."""
    pytest.importorskip("pkcs11")
    with pytest.raises(CertificateError, match=r"none\.so cannot be loaded"):
        module_room.hardware_module(tmp_path / "none.so")


def test_a_signature_costs_little(token: SoftToken) -> None:
    """The hand-over to the module's thread is no burden: signatures take a few milliseconds at the very most."""
    token.certificate(StiCa.create(NOW))
    signer = loaded(token).current(NOW)
    assert signer is not None
    took = []
    for number in range(200):
        began = time.perf_counter()
        signer.sign_shaken(ORIG, [DEST], "A", str(number), NOW)
        took.append(time.perf_counter() - began)
    assert sorted(took)[100] < 0.05
    print(f"median {sorted(took)[100] * 1e6:.0f} us, 99th {sorted(took)[198] * 1e6:.0f} us")
