"""The verification stage."""

from dataclasses import replace

import pytest

from sipguard.policy.need import Answer, CertificateNeed
from sipguard.policy.stages.verify import examine
from sipguard.stir.verdict import Reason
from sipguard.stir.verification import MissingCertificate
from tests.policy.kit import (
    CONVERSATIONAL,
    DATE,
    FOREIGN,
    NOW,
    OWNED,
    FakeVerification,
    call_of,
    failed,
    invite,
    passed,
    view_of,
)

URL = "https://certificates.example/leaf.pem"
STRANGER = replace(CONVERSATIONAL, trusted=False)


def arrived(*headers, trunk=CONVERSATIONAL, from_=f"<sip:+{FOREIGN}@carrier.example>", to=None, **request):
    """A call from the network."""
    return call_of(invite(f"sip:+{OWNED}@proxy.example", from_, to, *headers, **request), trunk=trunk, account=None)


def asked(call):
    """What verification was asked about a call."""
    verification = FakeVerification(passed())
    assert examine(call, view_of(verification=verification)).verdict == passed()
    return verification.asked[0]


@pytest.mark.clause("VS-01", "VS-02")
def test_every_identity_header_is_judged():
    """All values, in either form of the header name, are handed over in order and as received."""
    identities, _, now, _ = asked(arrived("Identity: one;info=<a>", "y: two;info=<b>"))
    assert identities == ("one;info=<a>", "two;info=<b>")
    assert now == NOW


@pytest.mark.clause("VS-09", "VS-17", "VS-10")
def test_the_numbers_and_the_date_come_from_the_signalling():
    """From, To, Request-URI, Date and Call-ID are what the token is compared with."""
    _, signalling, _, _ = asked(arrived(f"Date: {DATE}", to="<sip:4155550151@p>"))
    assert (signalling.orig, signalling.dest, signalling.request_tn) == ((FOREIGN,), ("14155550151",), OWNED)
    assert (signalling.date, signalling.call_id) == (NOW, "1@pbx.example")


@pytest.mark.clause("AS-23", "VS-09")
def test_a_trusted_asserted_identity_is_the_caller():
    """From a trusted trunk the token is compared with P-Asserted-Identity, not with From."""
    _, signalling, _, _ = asked(arrived("P-Asserted-Identity: <tel:+14155550177>, <sip:+14155550177@x>"))
    assert signalling.orig == ("14155550177",)


@pytest.mark.clause("PRV-01", "VS-09")
def test_a_strangers_asserted_identity_is_not_the_caller():
    """What is stripped before delivery cannot be vouched for."""
    _, signalling, _, _ = asked(arrived("P-Asserted-Identity: <tel:+14155550177>", trunk=STRANGER))
    assert signalling.orig == (FOREIGN,)


@pytest.mark.parametrize("header", ["P-Asserted-Identity: <<", "P-Asserted-Identity: <sip:alice@x>"])
def test_an_asserted_identity_without_a_number_leaves_from(header):
    """What holds no number, or cannot be read, does not hide From."""
    _, signalling, _, _ = asked(arrived(header))
    assert signalling.orig == (FOREIGN,)


def test_a_call_without_numbers_is_judged_all_the_same():
    """Names in From, To and Request-URI leave the comparison empty."""
    call = call_of(
        invite("sip:%zz@p", "<sip:alice@x>", "<sip:bob@y>", "Date: yesterday"), trunk=CONVERSATIONAL, account=None
    )
    _, signalling, _, _ = asked(call)
    assert (signalling.orig, signalling.dest, signalling.request_tn, signalling.date) == ((), (), None, None)


@pytest.mark.clause("PPT-06", "AS-13", "RPH-02", "RPH-05", "RPH-07")
def test_what_else_the_request_says():
    """Fingerprints of its SDP, its priority in lower case, and whether it calls back from an emergency centre."""
    sdp = b"v=0\r\na=fingerprint:sha-256 AB:CD\r\n"
    call = arrived("Resource-Priority: ETS.0, wps.1", "Priority: PSAP-Callback")
    call.request.body = sdp
    _, signalling, _, _ = asked(call)
    assert signalling.media_keys == (("sha-256", "ABCD"),)
    assert (signalling.resource_priority, signalling.callback) == (("ets.0", "wps.1"), True)
    for contradiction in ("ets.0, ets.1", "ets.0, <x"):
        _, signalling, _, _ = asked(arrived(f"Resource-Priority: {contradiction}"))
        assert signalling.resource_priority == ()
    assert not signalling.callback


@pytest.mark.clause("AS-11", "RFC 8224 8.5")
def test_names_are_compared_as_normalised_uris():
    """Where To or Request-URI holds no number its URI is what a token may name."""
    call = call_of(
        invite("sip:Bob@Example.com:5070;x=y", f"<sip:+{FOREIGN}@c>", "<urn:service:sos>"),
        trunk=CONVERSATIONAL,
        account=None,
    )
    _, signalling, _, _ = asked(call)
    assert (signalling.request_uri, signalling.to_uri) == ("sip:bob@example.com", "urn:service:sos")
    assert signalling.target == {"sip:bob@example.com"}
    _, signalling, _, _ = asked(arrived())
    assert (signalling.request_uri, signalling.to_uri, signalling.target) == (None, None, {OWNED})


@pytest.mark.clause("CRT-25")
def test_a_certificate_is_fetched_again_once():
    """The verifier may ask for a certificate it knows; after the answer the call is decided, met or not."""
    for answer in (Answer(True), Answer(False, "timeout")):
        call = arrived()
        verification = FakeVerification(MissingCertificate(URL), failed(Reason.SIGNATURE))
        view = view_of(verification=verification)
        need = examine(call, view)
        assert need == CertificateNeed(URL)
        call.answers[need] = answer
        assert examine(call, view).verdict == failed(Reason.SIGNATURE)


@pytest.mark.clause("VS-34", "VS-35")
def test_a_missing_certificate_is_asked_for():
    """The call parks until the certificate is there."""
    view = view_of(verification=FakeVerification(MissingCertificate(URL)))
    assert examine(arrived(), view) == CertificateNeed(URL)


def test_a_fetched_certificate_leads_to_the_verdict():
    """After the answer the same stage asks again and has its verdict."""
    call = arrived()
    verification = FakeVerification(MissingCertificate(URL), passed())
    view = view_of(verification=verification)
    need = examine(call, view)
    assert isinstance(need, CertificateNeed)
    call.answers[need] = Answer(True)
    assert examine(call, view).verdict == passed()
    assert verification.asked[1][3] == frozenset()


def test_a_second_missing_certificate_is_asked_for_too():
    """Two headers may need two certificates, one after the other."""
    call = arrived()
    call.answers[CertificateNeed(URL)] = Answer(True)
    view = view_of(verification=FakeVerification(MissingCertificate(URL + "2")))
    assert examine(call, view) == CertificateNeed(URL + "2")


@pytest.mark.clause("VS-19")
def test_what_could_not_be_fetched_counts_as_unavailable():
    """A failed fetch is an answer: the verdict is made without the certificate."""
    call = arrived()
    call.answers[CertificateNeed(URL)] = Answer(False, "timeout")
    verdict = failed(Reason.CERTIFICATE_UNAVAILABLE)
    verification = FakeVerification(verdict)
    assert examine(call, view_of(verification=verification)).verdict == verdict
    assert verification.asked[0][3] == frozenset((URL,))


def test_a_certificate_that_is_gone_again_is_not_asked_for_twice():
    """A certificate that was fetched and is not in the cache any more counts as unavailable."""
    call = arrived()
    call.answers[CertificateNeed(URL)] = Answer(True)
    verdict = failed(Reason.CERTIFICATE_UNAVAILABLE)
    verification = FakeVerification(MissingCertificate(URL), verdict)
    assert examine(call, view_of(verification=verification)).verdict == verdict
    assert verification.asked[1][3] == frozenset((URL,))


@pytest.mark.clause("VS-38")
def test_another_request_is_judged_only_if_signed():
    """An unsigned MESSAGE is not verified; a signed one is."""
    assert examine(arrived(method="MESSAGE"), view_of()) is None
    assert examine(arrived("Identity: one", method="MESSAGE"), view_of()).verdict == passed()
