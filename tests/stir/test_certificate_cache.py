"""The cache of validated certificates."""

import pytest

from sipguard.stir.certificate import Credential
from sipguard.stir.certificate_cache import CertificateCache, CertificateFailure
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason
from sipguard.testing.sti_ca import DAY, Shape, StiCa
from tests.stir.kit import HOUR, NOW, URL, anchors, authority, leaf


def later(seconds: int) -> UnixTime:
    """A moment after NOW."""
    return UnixTime(NOW + seconds)


@pytest.mark.clause("VS-32", "VS-35")
def test_a_chain_is_kept_until_it_expires() -> None:
    """The credential is there from store on until the time given, then unknown again."""
    cache = CertificateCache()
    assert cache.get(URL, NOW) is None
    stored = cache.store(URL, leaf().chain_pem, later(HOUR), NOW, anchors())
    assert isinstance(stored, Credential)
    assert cache.get(URL, later(HOUR - 1)) is stored
    assert cache.get(URL, later(HOUR)) is None
    assert len(cache) == 0


@pytest.mark.clause("VS-32", "CRT-25")
def test_a_chain_is_never_kept_past_its_validity() -> None:
    """A short-lived certificate ends its entry, whatever the HTTP headers said."""
    cache = CertificateCache()
    short = authority().issue(Shape(not_after=later(100)))
    cache.store(URL, short.chain_pem, later(DAY), NOW, anchors())
    assert isinstance(cache.get(URL, later(100)), Credential)
    assert cache.get(URL, later(101)) is None


@pytest.mark.clause("VS-32")
def test_failures_are_remembered_briefly() -> None:
    """A repository that is down, and a chain that does not validate, are not tried again at once, but soon."""
    cache = CertificateCache()
    cache.fail(URL, "connection refused", later(30))
    assert cache.get(URL, later(29)) == CertificateFailure(Reason.CERTIFICATE_UNAVAILABLE, "connection refused")
    assert cache.get(URL, later(30)) is None
    refused = cache.store(URL, StiCa.create(NOW).issue().chain_pem, later(DAY), NOW, anchors())
    assert isinstance(refused, CertificateFailure)
    assert refused.reason is Reason.CERTIFICATE_UNTRUSTED
    assert cache.get(URL, later(299)) is refused
    assert cache.get(URL, later(300)) is None


def test_an_expired_chain_is_a_failure_that_answers() -> None:
    """What has been fetched is answered at least once, or its call would be parked for ever."""
    cache = CertificateCache()
    expired = authority().issue(Shape(not_after=later(-1)))
    outcome = cache.store(URL, expired.chain_pem, NOW, NOW, anchors())
    assert isinstance(outcome, CertificateFailure)
    assert outcome.reason is Reason.CERTIFICATE_EXPIRED
    assert cache.get(URL, NOW) is outcome


@pytest.mark.clause("VS-32")
def test_a_chain_that_must_not_be_kept_still_answers() -> None:
    """A repository that forbids caching is asked once per second, not once per look."""
    cache = CertificateCache()
    cache.store(URL, leaf().chain_pem, NOW, NOW, anchors())
    assert isinstance(cache.get(URL, NOW), Credential)
    assert cache.get(URL, later(1)) is None


def test_a_new_chain_replaces_a_failure() -> None:
    """The last outcome counts."""
    cache = CertificateCache()
    cache.fail(URL, "timeout", later(30))
    cache.store(URL, leaf().chain_pem, later(HOUR), NOW, anchors())
    assert isinstance(cache.get(URL, NOW), Credential)


def test_the_least_recently_used_url_goes_first() -> None:
    """The number of URLs is bounded; the ones in use stay."""
    cache = CertificateCache(capacity=2)
    for url in ("a", "b"):
        cache.fail(url, "", later(HOUR))
    assert cache.get("a", NOW) is not None
    cache.fail("c", "", later(HOUR))
    assert len(cache) == 2
    assert cache.get("b", NOW) is None
    assert cache.get("a", NOW) is not None


@pytest.mark.clause("VS-33")
def test_a_flood_of_bad_urls_pushes_out_no_credential() -> None:
    """Failures have a bounded place of their own."""
    cache = CertificateCache(capacity=2)
    cache.store(URL, leaf().chain_pem, later(HOUR), NOW, anchors())
    for number in range(1000):
        cache.fail(f"https://{number}.example/", "no answer", later(30))
        cache.store(f"https://{number}.example/x", b"nonsense", later(30), NOW, anchors())
    assert isinstance(cache.get(URL, NOW), Credential)
    assert len(cache) == 3


@pytest.mark.clause("VS-32")
def test_a_failure_takes_nothing_away() -> None:
    """While a certificate is known, a repository that is down or serves nonsense changes nothing; later it shows."""
    cache = CertificateCache()
    cache.store(URL, leaf().chain_pem, later(HOUR), NOW, anchors())
    cache.fail(URL, "503", later(2 * HOUR))
    assert isinstance(cache.store(URL, b"<html>", later(DAY), NOW, anchors()), CertificateFailure)
    assert isinstance(cache.get(URL, later(HOUR - 1)), Credential)
    cache.fail(URL, "503", later(2 * HOUR))
    assert isinstance(cache.get(URL, later(HOUR)), CertificateFailure)


@pytest.mark.clause("CRT-25")
def test_a_repository_is_asked_again_about_a_signature_once_a_minute() -> None:
    """Not when it was just asked, nor when nothing is known; an attempt in vain counts as well."""
    cache = CertificateCache()
    assert not cache.may_refetch(URL, NOW)
    cache.store(URL, leaf().chain_pem, later(DAY), NOW, anchors())
    assert not cache.may_refetch(URL, later(59))
    assert cache.may_refetch(URL, later(60))
    cache.fail(URL, "503", later(90))
    assert not cache.may_refetch(URL, later(89))
    assert cache.may_refetch(URL, later(90))


@pytest.mark.clause("VS-32")
def test_what_was_used_is_due_in_the_last_tenth_of_its_time() -> None:
    """Unused entries expire; a short-lived certificate makes the time shorter."""
    cache = CertificateCache()
    short = authority().issue(Shape(not_after=later(999)))
    cache.store("unused", leaf().chain_pem, later(1000), NOW, anchors())
    cache.store("used", leaf().chain_pem, later(1000), NOW, anchors())
    cache.store("short", short.chain_pem, later(DAY), NOW, anchors())
    for url in ("used", "short"):
        cache.get(url, NOW)
    assert cache.due(later(899)) == []
    assert set(cache.due(later(900))) == {"used", "short"}
    cache.store("used", leaf().chain_pem, later(1900), later(900), anchors())
    assert cache.due(later(999)) == ["short"]


@pytest.mark.clause("VS-32")
def test_an_attempt_in_vain_is_not_repeated_at_every_look() -> None:
    """What is due stays away until the failure is forgotten."""
    cache = CertificateCache()
    cache.store(URL, leaf().chain_pem, later(1000), NOW, anchors())
    cache.get(URL, NOW)
    cache.fail(URL, "503", later(980))
    assert cache.due(later(950)) == []
    assert cache.due(later(980)) == [URL]
