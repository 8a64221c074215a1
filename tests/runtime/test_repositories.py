"""Certificate repositories and revocation lists as a running proxy meets them: hanging, gone, with a revoked signer."""

import asyncio
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from sipguard.stir.authentication import Signer, load_signer
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.policy_administrator import Revoked, Scope, issue_list, make_administrator
from sipguard.testing.sti_ca import Issued, Shape, StiCa
from tests.runtime.kit import run
from tests.runtime.live_node import LiveNode, live_node
from tests.runtime.repository import Repository, response

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

NOW = UnixTime(int(time.time()))
CA = StiCa.create(NOW)
LEAF = CA.issue()
PASSED, NOT_KNOWN = "verstat=TN-Validation-Passed", "verstat=No-TN-Validation"


def signer(url: str, issued: Issued = LEAF) -> Signer:
    """A signer whose certificate is at a URL."""
    return load_signer("test", issued.chain_pem, issued.key_pem, url, NOW)


def arrive(node: LiveNode, call_id: str, url: str, issued: Issued = LEAF) -> None:
    """A signed call from the network."""
    now = UnixTime(int(time.time()))
    identity = signer(url, issued).sign_shaken(TN("12125550123"), [TN("14155550100")], "A", str(uuid.uuid4()), now)
    node.arrive(call_id, f"Identity: {identity}")


def delivered(node: LiveNode, call_id: str) -> str:
    """The call as the customer gets it."""
    while True:
        request = node.customer.receive("INVITE ")
        if f"Call-ID: {call_id}\r\n" in request:
            return request


def with_repository(directory: Path, calls: Callable[[Repository], None]) -> None:
    """Run a test's calls in a thread beside a repository."""

    async def main() -> None:
        (directory / "anchors.pem").write_bytes(CA.anchors_pem)
        async with Repository(directory) as repository:
            repository.pages["/leaf.pem"] = response(LEAF.chain_pem)
            await asyncio.to_thread(calls, repository)

    run(main())


def configuration(repository: Repository, more: str = "") -> str:
    """A node that trusts the TEST authority and its repository."""
    return f"""
        [stir.verify]
        anchors = "anchors.pem"
        https_ca = "{repository.authorities}"
        allow_private_hosts = ["localhost", "127.0.0.1"]
        {more}
    """


@pytest.mark.clause("VS-33", "VS-34")
def test_two_hundred_calls_for_a_hanging_repository_delay_no_other(tmp_path: Path) -> None:
    """Calls with a known certificate go through at once meanwhile; those that wait go on unverified at their limit."""

    def calls(repository: Repository) -> None:
        with live_node(tmp_path, configuration(repository, "fetch_timeout = 3.0")) as node:
            arrive(node, "cold", repository.url())
            assert PASSED in delivered(node, "cold")
            repository.gate.clear()
            started = time.monotonic()
            for number in range(200):
                arrive(node, f"hangs-{number}", repository.url(f"/hangs/{number}", host="127.0.0.1"))
            for number in range(20):
                asked = time.monotonic()
                arrive(node, f"warm-{number}", repository.url())
                assert PASSED in delivered(node, f"warm-{number}")
                assert time.monotonic() - asked < 1
            assert time.monotonic() - started < 3
            assert NOT_KNOWN in delivered(node, "hangs-0")
            assert time.monotonic() - started < 6

    with_repository(tmp_path, calls)


@pytest.mark.clause("VS-32", "VS-35")
def test_a_restarted_node_knows_its_certificates(tmp_path: Path) -> None:
    """The first call after a restart is verified though the repository is gone."""

    def calls(repository: Repository) -> None:
        with live_node(tmp_path, configuration(repository)) as node:
            arrive(node, "before", repository.url())
            assert PASSED in delivered(node, "before")
            node.until(lambda: list((tmp_path / "var" / "certificates").glob("*.fetched")))
            node.signal(signal.SIGTERM)
            assert node.end() == 0
            del repository.pages["/leaf.pem"]
            node.start()
            node.wait_for("ready", 2)
            arrive(node, "after", repository.url())
            assert PASSED in delivered(node, "after")
            assert repository.requests.total() == 1
            assert node.metric("sipguard_certificate_fetches_total") == 0

    with_repository(tmp_path, calls)


@pytest.mark.clause("CRT-17", "CRT-18", "CRT-19", "VS-22")
def test_a_revoked_certificate_is_refused_when_its_list_has_come(tmp_path: Path) -> None:
    """No call waits for the indirect list the certificate names; once it is read the next call gets 437."""
    administrator = make_administrator(NOW)
    (tmp_path / "administrator.pem").write_bytes(administrator.certificate_pem)

    def calls(repository: Repository) -> None:
        issued = CA.issue(Shape(crl_url=repository.url("/crl"), crl_issuer=administrator.certificate.subject))
        entry = Revoked(issued.certificate.serial_number, issued.certificate.issuer)
        repository.pages["/revoked.pem"] = response(issued.chain_pem)
        repository.pages["/crl"] = response(issue_list(administrator, [entry], NOW, scope=Scope(indirect=True)))
        more = 'policy_administrator = "administrator.pem"\non_failure = "reject"'
        with live_node(tmp_path, configuration(repository, more)) as node:
            arrive(node, "first", repository.url("/revoked.pem"), issued)
            node.wait_for("revocation-list.read")
            arrive(node, "second", repository.url("/revoked.pem"), issued)
            refusal = node.carrier.receive("SIP/2.0 437")
            assert "Call-ID: second\r\n" in refusal
            arrive(node, "good", repository.url())
            assert PASSED in delivered(node, "good")

    with_repository(tmp_path, calls)


@pytest.mark.clause("CRT-25")
def test_a_new_key_at_the_same_url_is_found(tmp_path: Path) -> None:
    """A signature that does not match asks the repository once more when the certificate is not a fresh one."""

    def calls(repository: Repository) -> None:
        with live_node(tmp_path, configuration(repository)) as node:
            arrive(node, "old", repository.url())
            assert PASSED in delivered(node, "old")
            renewed = CA.issue()
            repository.pages["/leaf.pem"] = response(renewed.chain_pem)
            arrive(node, "too-soon", repository.url(), renewed)
            assert "verstat=TN-Validation-Failed" in delivered(node, "too-soon")
            assert repository.requests.total() == 1

    with_repository(tmp_path, calls)
