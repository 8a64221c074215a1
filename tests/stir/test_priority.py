"""Resource priority: rph PASSporTs, judged beside the calling number (RFC 8443, RFC 9027)."""

from collections.abc import Sequence
from typing import Any

import pytest

from sipguard.errors import MalformedValue
from sipguard.stir import base64url
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.passport_writer import sign_rph
from sipguard.stir.verdict import PriorityVerdict, Reason, Verdict, Verstat
from sipguard.stir.verification import MissingCertificate, VerificationSettings
from tests.stir.kit import (
    DEST,
    HEADER,
    NOW,
    ORIG,
    URL,
    ask,
    changed,
    field,
    filled_cache,
    identity,
    judge,
    sign,
    signer,
)

SETTINGS = VerificationSettings(priority_authorities={name: frozenset(("1234",)) for name in ("ets", "wps", "esnet")})
CLAIMS = {"dest": {"tn": [DEST]}, "iat": NOW, "orig": {"tn": ORIG}, "rph": {"auth": ["ets.0"]}}


def rph(*auth: str, dest: Sequence[str] = (DEST,), **more: Any) -> str:
    """An rph PASSporT by the authority."""
    return sign_rph(signer(), ORIG, dest, auth or ["ets.0"], NOW, **more)


def forged_rph(**claims: Any) -> str:
    """One with other claims, correctly signed."""
    token = sign(changed(HEADER, {"ppt": "rph"}), changed(CLAIMS, claims))
    return field(token, f";info=<{URL}>;ppt=rph")


def prioritised(*values: str, settings: VerificationSettings = SETTINGS, **request: Any) -> Verdict:
    """The verdict on a call with Resource-Priority ets.0."""
    return judge(values, settings=settings, **{"resource_priority": ("ets.0",), **request})


@pytest.mark.clause("RPH-01", "RFC 8443 3", "RFC 9027 5")
def test_what_is_signed() -> None:
    """auth is sorted, lower-case and unique; claims in lexicographic order; sph last."""
    value = rph("WPS.0", "ets.0", "esnet.1", "ets.0", callback=True)
    payload = base64url.decode(value.split(".")[1]).decode()
    assert payload == (
        f'{{"dest":{{"tn":["{DEST}"]}},"iat":{NOW},"orig":{{"tn":"{ORIG}"}},'
        '"rph":{"auth":["esnet.1","ets.0","wps.0"]},"sph":"psap-callback"}'
    )
    assert value.endswith(f";info=<{URL}>;alg=ES256;ppt=rph")
    with pytest.raises(MalformedValue):
        rph("ets.0", callback=True)


@pytest.mark.clause("RPH-02", "RPH-09", "RFC 8443 4.2")
def test_an_authorised_priority() -> None:
    """A good rph PASSporT passes the priority and says nothing about the number."""
    verdict = prioritised(rph())
    assert (verdict.priority, verdict.priorities) == (PriorityVerdict.PASSED, {"ets.0"})
    assert str(verdict.priority) == "RPH-Validation-Passed"
    assert (verdict.verstat, verdict.code) == (Verstat.NONE, 428)
    both = prioritised(rph(), identity())
    assert (both.verstat, both.attest, both.priority) == (Verstat.PASSED, "A", PriorityVerdict.PASSED)
    assert prioritised(identity()).priority is PriorityVerdict.NONE


@pytest.mark.clause("RPH-02", "VS-01")
def test_a_failed_priority_leaves_an_ordinary_call() -> None:
    """A bad rph PASSporT fails the priority; the calling number keeps the verdict of its own header."""
    for number, verstat in ((identity(), Verstat.PASSED), (identity(orig=DEST), Verstat.FAILED)):
        verdict = prioritised(forged_rph(iat=NOW - 61), number)
        assert (verdict.verstat, verdict.priority, verdict.priorities) == (verstat, PriorityVerdict.FAILED, set())
    alone = prioritised(forged_rph(iat=NOW - 61))
    assert (alone.verstat, alone.reason) == (Verstat.NONE, Reason.MISSING)


@pytest.mark.clause("RPH-03", "RFC 8443 3")
def test_not_any_provider_is_an_authority() -> None:
    """A SHAKEN certificate authorises nothing unless its provider is configured for the namespace."""
    for authorities in ({}, {"wps": frozenset(("1234",))}, {"ets": frozenset(("9999",))}):
        verdict = prioritised(rph(), settings=VerificationSettings(priority_authorities=authorities))
        assert verdict.results[0].reason is Reason.CERTIFICATE_SCOPE
        assert verdict.priority is PriorityVerdict.FAILED


@pytest.mark.clause("RPH-02", "RFC 8443 7.1")
@pytest.mark.parametrize(
    ("auth", "carried", "good"),
    [
        (("ets.0",), ("ets.0", "wps.0"), True),
        (("ets.0", "wps.0"), ("wps.0", "ets.0"), True),
        (("ets.0", "wps.0"), ("ets.0",), False),
        (("ets.0",), ("ets.1",), False),
        (("ets.0",), (), False),
    ],
)
def test_what_is_signed_is_what_the_request_carries(
    auth: tuple[str, ...], carried: tuple[str, ...], good: bool
) -> None:
    """Every value signed is still there; what else is there is not authorised by it."""
    verdict = prioritised(rph(*auth), resource_priority=carried)
    assert verdict.priority is (PriorityVerdict.PASSED if good else PriorityVerdict.FAILED)
    assert verdict.priorities == (frozenset(auth) if good else frozenset())
    if not good:
        assert verdict.results[0].reason is Reason.PRIORITY_MISMATCH


@pytest.mark.clause("RPH-04", "RFC 9027 3")
def test_emergency_calls() -> None:
    """dest may be the dial string or the service URN; the caller is the caller."""
    for dest, request in (
        (("911",), {"dest": ("911",)}),
        (("urn:service:sos",), {"dest": (), "to_uri": "urn:service:sos"}),
    ):
        value = rph("esnet.1", dest=dest)
        verdict = prioritised(value, resource_priority=("esnet.1",), **request)
        assert verdict.priority is PriorityVerdict.PASSED
    value = rph("esnet.1", dest=["911"])
    assert prioritised(value, resource_priority=("esnet.1",)).results[0].reason is Reason.DEST_MISMATCH
    stranger = {"orig": ("12155559999",), "dest": ("911",)}
    assert prioritised(value, resource_priority=("esnet.1",), **stranger).results[0].reason is Reason.ORIG_MISMATCH


@pytest.mark.clause("RPH-05", "RFC 9027 4")
def test_a_call_back() -> None:
    """sph equals the Priority header field, or the PASSporT fails."""
    value = rph("esnet.0", callback=True)
    verdict = prioritised(value, resource_priority=("esnet.0",), callback=True)
    assert (verdict.priority, verdict.callback) == (PriorityVerdict.PASSED, True)
    verdict = prioritised(value, resource_priority=("esnet.0",))
    assert (verdict.priority, verdict.callback) == (PriorityVerdict.FAILED, False)
    assert not prioritised(rph("esnet.0"), resource_priority=("esnet.0",), callback=True).callback


@pytest.mark.clause("RPH-05", "RPH-01", "VS-37")
@pytest.mark.parametrize(
    "claims",
    [
        {"sph": "emergency", "rph": {"auth": ["esnet.0"]}},
        {"sph": True, "rph": {"auth": ["esnet.0"]}},
        {"sph": None, "rph": {"auth": ["esnet.0"]}},
        {"sph": "psap-callback"},
        {"rph": None},
        {"rph": {}},
        {"rph": {"auth": []}},
        {"rph": {"auth": "ets.0"}},
        {"rph": {"auth": ["ets"]}},
        {"rph": {"auth": [1]}},
        {"rph": {"auth": ["ets.0\r\n"]}},
        {"rph": {"auth": ["ets.0"] * 33}},
        {"rph": ["ets.0"]},
        {"dest": {}},
    ],
)
def test_malformed_claims_fail(claims: dict[str, Any]) -> None:
    """rph.auth is an array of r-values, sph is psap-callback beside an emergency priority, and base claims stay."""
    verdict = prioritised(forged_rph(**claims), resource_priority=("ets.0",), callback=True)
    assert verdict.results[0].reason is Reason.CLAIMS
    assert verdict.priority is PriorityVerdict.FAILED


@pytest.mark.clause("RPH-02", "VS-35")
def test_its_certificate_is_asked_for_beside_a_good_number() -> None:
    """The number being verified does not make the priority's certificate superfluous."""
    url = "https://priority.example.com/leaf.pem"
    token = sign(changed(HEADER, {"ppt": "rph", "x5u": url}), CLAIMS)
    values = [identity(), field(token, f";info=<{url}>;ppt=rph")]
    request = {"resource_priority": ("ets.0",), "settings": SETTINGS}
    assert ask(values, filled_cache(), **request) == MissingCertificate(url)
    assert ask(values, CertificateCache(), **request) == MissingCertificate(URL)
    verdict = ask(values, filled_cache(), unavailable=frozenset((url,)), **request)
    assert isinstance(verdict, Verdict)
    assert (verdict.verstat, verdict.priority) == (Verstat.PASSED, PriorityVerdict.FAILED)
