"""From the configuration to signers: files and tokens are read, and what does not belong together is said in one line.

A name may have several generations. It can sign when one of them is valid now; one that has expired is passed over, one
that is not valid yet waits for its time. Used at the start, at a reload, and by ``signing_watch`` in between.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sipguard.config.stir import SigningCertificate
from sipguard.errors import Problem, SipguardError
from sipguard.runtime.hardware_key import open_hardware_key
from sipguard.runtime.secret_files import read_public_file, read_secret_file
from sipguard.stir.authentication import Signer, load_generation
from sipguard.stir.generations import Generations
from sipguard.stir.unix_time import UnixTime


def load_generations(
    name: str, entries: Sequence[SigningCertificate], now: UnixTime, previous: Generations | None = None
) -> tuple[Generations, list[Problem]]:
    """The signers of one name that load, and what is wrong with the others, or with all of them.

    When none of them is valid at ``now``, those of ``previous`` that are still sign on.
    """
    signers, problems = [], []
    for position, entry in enumerate(entries):
        try:
            signers.append(_signer(name, entry, previous))
        except SipguardError as error:
            place = f"[{position}]" if len(entries) > 1 else ""
            problems.append(Problem(f"stir.sign.certificates.{name}{place}", str(error)))
    generations = Generations(name, signers)
    if generations.current(now) is None and previous is not None:
        generations = generations.after(previous, now)
    if generations.current(now) is None and not problems:
        ended = all(signer.not_after < now for signer in signers)
        why = "is expired" if ended else "is not yet valid"
        problems.append(
            Problem(f"stir.sign.certificates.{name}", f"certificate {name!r}: a certificate of the chain {why}")
        )
    return generations, problems


def shared_urls(generations: Generations) -> Iterator[str]:
    """The URLs that two generations share: verifiers that hold the one in their cache refuse the other (AS-16)."""
    seen: set[str] = set()
    for signer in generations.signers:
        if signer.url in seen:
            yield signer.url
        seen.add(signer.url)


def _signer(name: str, entry: SigningCertificate, previous: Generations | None) -> Signer:
    certificate = read_public_file(entry.certificate)
    if isinstance(entry.key, Path):
        return load_generation(name, certificate, read_secret_file(entry.key), entry.url)
    key = open_hardware_key(entry.key)
    for signer in previous.signers if previous is not None else ():
        if signer.is_made_of(certificate, key, entry.url):
            return signer  # key and certificate were proved to belong together, and the token may be away just now
    return load_generation(name, certificate, key, entry.url)
