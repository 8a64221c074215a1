"""Microseconds per SHAKEN signature and per warm verification, beside the bare ECDSA operations of the same key.

    python -m bench.stir [--json]

Every round measures all four, and the best round counts, so a busy machine disturbs them alike. Aim: a
signature at most 1.5 times the bare operation, a verification 1.4 times.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sipguard.stir.attestation import OriginationIdentifiers
from sipguard.stir.authentication import load_signer
from sipguard.stir.certificate import load_anchors
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict
from sipguard.stir.verification import Signalling, VerificationService
from sipguard.testing.sti_ca import StiCa

ROUNDS, CALLS = 15, 400
ORIG, DEST = TN("12155551212"), TN("12155551213")
URL = "https://certificates.example.com/leaf.pem"


def _operations() -> dict[str, Callable[[], object]]:
    now = UnixTime(int(time.time()))
    authority = StiCa.create(now)
    leaf = authority.issue()
    signer = load_signer("bench", leaf.chain_pem, leaf.key_pem, URL, now)
    moments = itertools.count(now)  # never the same claims twice
    origid = OriginationIdentifiers(b"bench" * 8).of("acme", "conversational")
    identity = signer.sign_shaken(ORIG, [DEST], "A", origid, now)
    octets = identity.partition(";")[0].rpartition(".")[0].encode()

    anchors = load_anchors(authority.anchors_pem)
    cache = CertificateCache()
    cache.store(URL, leaf.chain_pem, UnixTime(now + 3600), now, anchors)
    service = VerificationService(anchors)
    signalling = Signalling((ORIG,), (DEST,), "bench@localhost")
    verdict = service.verify([identity], signalling, cache, now)
    if not isinstance(verdict, Verdict) or verdict.reason is not None:
        raise SystemExit(f"the bench's own token does not verify: {verdict}")

    key = cast(ec.EllipticCurvePrivateKey, leaf.key)
    public_key = key.public_key()
    algorithm = ec.ECDSA(hashes.SHA256())
    signature = key.sign(octets, algorithm)
    return {
        "bare sign": lambda: key.sign(octets, algorithm),
        "sign": lambda: signer.sign_shaken(ORIG, [DEST], "A", origid, UnixTime(next(moments))),
        "bare verify": lambda: public_key.verify(signature, octets, algorithm),
        "verify": lambda: service.verify([identity], signalling, cache, now),
    }


def _microseconds(operation: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        operation()
    return (time.perf_counter() - start) / CALLS * 1e6


def main() -> None:
    """Measure and print."""
    operations = _operations()
    best = dict.fromkeys(operations, float("inf"))
    for _ in range(ROUNDS):
        for name, operation in operations.items():
            best[name] = min(best[name], _microseconds(operation))
    if "--json" in sys.argv[1:]:
        print(json.dumps(best))
        return
    for name in ("sign", "verify"):
        bare = best[f"bare {name}"]
        print(f"{name:8} {best[name]:7.1f} us   bare ECDSA {bare:7.1f} us   ratio {best[name] / bare:.2f}")


if __name__ == "__main__":
    main()
