"""Whatever a certificate repository, a revocation list or a trust list holds is used or refused: nothing but the
errors of the house is raised.

The first octet says what the rest is taken for.
"""

import contextlib

from sipguard.errors import CertificateError, MalformedValue
from sipguard.stir import claim_constraints, tn_auth_list
from sipguard.stir.certificate import Credential
from sipguard.stir.certificate_cache import CertificateCache, CertificateFailure
from sipguard.stir.fault import Fault
from sipguard.stir.revocation import read_list
from sipguard.stir.strict_json import parse_object
from sipguard.stir.trust_list import read_trust_list
from sipguard.stir.unix_time import UnixTime
from tests.stir.kit import NOW, anchors, leaf


def check(data: bytes) -> None:
    """The invariant, for one thing that was fetched."""
    kind, octets = data[:1], data[1:]
    if kind == b"C":
        outcome = CertificateCache().store("https://a.example/", octets, UnixTime(NOW + 60), NOW, anchors())
        assert isinstance(outcome, Credential | CertificateFailure)
    elif kind == b"T":
        as_number_list(octets)
    elif kind == b"R":
        with contextlib.suppress(Fault):
            read_list(octets, (leaf().certificate,), (), NOW)
    elif kind == b"P":
        with contextlib.suppress(CertificateError):
            read_trust_list(octets, (leaf().certificate,), NOW)
    elif kind == b"J":
        with contextlib.suppress(MalformedValue):
            assert isinstance(parse_object(octets), dict)
    else:
        for enhanced in (True, False):
            with contextlib.suppress(MalformedValue):
                claim_constraints.decode(octets, enhanced=enhanced)


def as_number_list(octets: bytes) -> None:
    """A TNAuthList that is read encodes to one that says the same."""
    try:
        entries = tn_auth_list.decode(octets)
    except MalformedValue:
        return
    assert tn_auth_list.decode(tn_auth_list.encode(entries)) == entries
