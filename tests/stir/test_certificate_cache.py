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
