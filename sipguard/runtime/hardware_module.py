"""One PKCS #11 module and the thread that talks to it.

A call into a hardware module is C code that nobody can interrupt, and a dead module may never come back from one. So a
thread of its own makes the calls, one at a time, and whoever waits gives up after a bounded time; only the waiting ends
then, the thread stays with its call. Being the only one who talks to the module, the thread may also start
it anew when a token has gone and come back, which no session survives (PKCS #11 §5.4).

The PIN is read from its file when a token is opened. One that was refused is not tried again: tokens lock after a few.
"""

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from sipguard.config.pkcs11_uri import HardwareKey
from sipguard.errors import CertificateError, SipguardError
from sipguard.runtime.secret_files import read_secret_file

_Token = tuple[str | None, bytes | None, Path]


class HardwareSignature(NamedTuple):
    """r and s, and whether the key was looked up for it: then it may be another than last time."""

    octets: bytes
    found_anew: bool


class _Job:
    """One signature that somebody waits for."""

    __slots__ = ("digest", "done", "failure", "place", "signature")

    def __init__(self, place: HardwareKey, digest: bytes) -> None:
        self.place = place
        self.digest = digest
        self.done = threading.Event()
        self.signature = HardwareSignature(b"", False)
        self.failure = ""


class HardwareModule:
    """The worker of one module; use ``hardware_module``, so that there is one per library."""

    def __init__(self, path: Path) -> None:
        """Load the library. Raises CertificateError."""
        try:
            import pkcs11
        except ImportError:
            raise CertificateError(
                "keys in hardware need the package python-pkcs11: pip install 'sipguard[hsm]'"
            ) from None
        try:
            self._library: Any = pkcs11.lib(str(path))
        except Exception as error:  # the library's own errors and the linker's
            raise CertificateError(f"{path} cannot be loaded: {_told(error)}") from None
        self._sessions: dict[_Token, Any] = {}
        self._keys: dict[HardwareKey, Any] = {}
        self._refused_pins: dict[_Token, str] = {}
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._overdue = False  # somebody has given up on the call that the thread is in
        self._turn = threading.Lock()  # taken by who asks, given back by the thread when it is done
        threading.Thread(target=self._work, name=f"pkcs11 {path.name}", daemon=True).start()

    def sign(self, place: HardwareKey, digest: bytes, patience: float) -> HardwareSignature:
        """A signature over a SHA-256 digest. Raises CertificateError, and TimeoutError after ``patience`` seconds."""
        if self._overdue or not self._turn.acquire(timeout=patience):
            raise CertificateError("the module is busy")
        job = _Job(place, digest)
        self._jobs.put(job)
        if not job.done.wait(patience):
            self._overdue = True
            if job.done.is_set():  # in this very moment, and perhaps before the line above
                self._overdue = False
            raise TimeoutError
        if job.failure:
            raise CertificateError(job.failure)
        return job.signature

    # --- the thread

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job.signature = self._sign(job.place, job.digest)
            except Exception as error:
                job.failure = _told(error)
            job.done.set()
            self._overdue = False
            self._turn.release()

    def _sign(self, place: HardwareKey, digest: bytes) -> HardwareSignature:
        from pkcs11 import Mechanism

        key = self._keys.get(place)
        found_anew = key is None
        if key is None:
            key = self._keys[place] = self._find(place)
        try:
            signature: bytes = key.sign(digest, mechanism=Mechanism.ECDSA)
        except Exception:  # whatever the library raises: the next call looks for the key anew
            self._forget(place)
            raise
        if len(signature) != 64:
            raise CertificateError("the key is not P-256")
        return HardwareSignature(signature, found_anew)

    def _find(self, place: HardwareKey) -> Any:
        from pkcs11 import ObjectClass
        from pkcs11.exceptions import NoSuchKey

        try:
            session = self._session(place)
            return session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=place.label, id=place.identifier)
        except (NoSuchKey, SipguardError):
            raise
        except Exception:  # a token that was taken out and put back is only seen by a library that starts anew
            self._start_anew()
            session = self._session(place)
            return session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=place.label, id=place.identifier)

    def _session(self, place: HardwareKey) -> Any:
        from pkcs11.exceptions import PinIncorrect, PinLocked

        name = _name(place)
        session = self._sessions.get(name)
        if session is not None:
            return session
        pin = read_secret_file(place.pin_source).decode("utf-8", "replace").strip("\r\n")
        if self._refused_pins.get(name) == pin:
            raise CertificateError("the token refused this PIN before; it is not tried again")
        token = self._library.get_token(token_label=place.token, token_serial=place.serial)
        try:
            session = token.open(user_pin=pin)
        except (PinIncorrect, PinLocked) as error:
            self._refused_pins[name] = pin
            raise CertificateError(f"the token refused the PIN ({type(error).__name__})") from None
        self._sessions[name] = session
        return session

    def _forget(self, place: HardwareKey) -> None:
        """What this key was reached by is not to be trusted any more."""
        name = _name(place)
        session = self._sessions.pop(name, None)
        self._keys = {other: key for other, key in self._keys.items() if _name(other) != name}
        if session is not None:
            _quietly(session.close)

    def _start_anew(self) -> None:
        self._sessions.clear()
        self._keys.clear()
        self._library.reinitialize()


@cache
def hardware_module(path: Path) -> HardwareModule:
    """The one worker of a library. Raises CertificateError."""
    return HardwareModule(path)


def _name(place: HardwareKey) -> _Token:
    return place.token, place.serial, place.pin_source


def _quietly(action: Callable[[], object]) -> None:
    try:
        action()
    except Exception:  # the session of a token that has gone
        return


def _told(error: Exception) -> str:
    """An error in a few words: the library's exceptions mostly have nothing but their name."""
    if isinstance(error, SipguardError):
        return str(error)
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
