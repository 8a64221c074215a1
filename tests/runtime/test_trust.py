"""Whom a node trusts, from files (CRT-20)."""

import time
from pathlib import Path

import pytest

from sipguard.config.stir import VerifySection
from sipguard.errors import CertificateError, StartupError
from sipguard.runtime.trust import Trust, make_trust, read_administrators, read_anchors
from sipguard.stir.certificate import load_chain, validate
from sipguard.stir.fault import Fault
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.policy_administrator import Revoked, Scope, issue_list, issue_trust_list, make_administrator
from sipguard.testing.sti_ca import DAY, StiCa, issue_server

NOW = UnixTime(int(time.time()))
FIRST, SECOND = StiCa.create(NOW, name="FIRST"), StiCa.create(NOW, name="SECOND")
ADMINISTRATOR = make_administrator(NOW)


def trust(directory: Path, **verify: object) -> Trust:
    """What a section of configuration makes."""
    section = VerifySection.model_validate(verify, context={"directory": directory})
    administrators = read_administrators(section.policy_administrator)
    return make_trust(section, read_anchors(section.anchors, administrators, NOW), administrators, NOW)


@pytest.mark.clause("CRT-20")
def test_anchors_are_a_file_or_a_directory_of_files(tmp_path: Path) -> None:
    """A file may hold several; of a directory every .pem and .crt file counts, and nothing else."""
    (tmp_path / "all.pem").write_bytes(FIRST.anchors_pem + SECOND.anchors_pem)
    assert len(trust(tmp_path, anchors="all.pem").anchors) == 2
    directory = tmp_path / "anchors"
    directory.mkdir()
    (directory / "first.pem").write_bytes(FIRST.anchors_pem)
    (directory / "second.crt").write_bytes(SECOND.anchors_pem)
    (directory / "README").write_text("not a certificate")
    both = trust(tmp_path, anchors="anchors").anchors
    for authority in (FIRST, SECOND):
        assert validate(load_chain(authority.issue().chain_pem), both, NOW).spc == "1234"


@pytest.mark.clause("CRT-20")
def test_without_anchors_nobody_is_trusted(tmp_path: Path) -> None:
    """Neither the system's store, nor the authorities of the web, whatever TNAuthList their certificates have."""
    nobody = trust(tmp_path).anchors
    assert len(nobody) == 0
    _, web = issue_server(NOW)
    chain = (*load_chain(FIRST.issue().chain_pem), web)
    with pytest.raises(Fault, match="no path to a trust anchor"):
        validate(chain, nobody, NOW)


@pytest.mark.clause("CRT-20")
@pytest.mark.parametrize("name", ["missing.pem", "empty", "bad.pem", "leaf.pem"])
def test_anchors_that_are_none_are_one_clear_error(tmp_path: Path, name: str) -> None:
    """No such file, an empty directory, other octets, a signer's certificate."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.pem").write_text("nothing")
    (tmp_path / "leaf.pem").write_bytes(FIRST.issue().certificate_pem)
    with pytest.raises((CertificateError, StartupError)):
        trust(tmp_path, anchors=name)


@pytest.mark.clause("CRT-19", "CRT-20")
def test_the_digest_tells_when_trust_changed(tmp_path: Path) -> None:
    """Anchors, administrator, list and demand all count; the same again is the same."""
    (tmp_path / "first.pem").write_bytes(FIRST.anchors_pem)
    (tmp_path / "both.pem").write_bytes(FIRST.anchors_pem + SECOND.anchors_pem)
    (tmp_path / "pa.pem").write_bytes(ADMINISTRATOR.certificate_pem)
    section = {"anchors": "first.pem"}
    base = trust(tmp_path, **section).digest
    assert trust(tmp_path, **section).digest == base
    for change in (
        {"anchors": "both.pem"},
        {"policy_administrator": "pa.pem"},
        {"crl": "https://policy-administrator.example/crl"},
        {"revocation": "hard"},
    ):
        assert trust(tmp_path, **{**section, **change}).digest != base


@pytest.mark.clause("CRT-20")
def test_the_list_of_the_policy_administrator_is_a_file_of_anchors(tmp_path: Path) -> None:
    """Alone, or in a directory beside others; without the administrator's certificate it counts for nothing."""
    (tmp_path / "pa.pem").write_bytes(ADMINISTRATOR.certificate_pem)
    (tmp_path / "anchors").mkdir()
    (tmp_path / "anchors" / "first.pem").write_bytes(FIRST.anchors_pem)
    token = issue_trust_list(ADMINISTRATOR, (SECOND.root.certificate,), sequence=7, expires=NOW + DAY)
    (tmp_path / "anchors" / "list.jwt").write_bytes(token)
    made = trust(tmp_path, anchors="anchors", policy_administrator="pa.pem")
    assert (len(made.anchors), made.sequence) == (2, 7)
    alone = trust(tmp_path, anchors="anchors/list.jwt", policy_administrator="pa.pem").anchors
    assert validate(load_chain(SECOND.issue().chain_pem), alone, NOW).spc == "1234"
    with pytest.raises(CertificateError, match=r"list\.jwt: .*not signed by the policy administrator"):
        trust(tmp_path, anchors="anchors")


@pytest.mark.clause("CRT-17")
def test_a_configured_list_is_read_at_the_start(tmp_path: Path) -> None:
    """It counts from the first call on, and a mistake in it is found before."""
    (tmp_path / "first.pem").write_bytes(FIRST.anchors_pem)
    (tmp_path / "pa.pem").write_bytes(ADMINISTRATOR.certificate_pem)
    issued = FIRST.issue()
    entry = Revoked(issued.certificate.serial_number, issued.certificate.issuer)
    octets = issue_list(ADMINISTRATOR, [entry], NOW, scope=Scope(indirect=True), lifetime=DAY)
    (tmp_path / "pa.crl").write_bytes(octets)
    made = trust(tmp_path, anchors="first.pem", policy_administrator="pa.pem", crl="pa.crl")
    links = validate(load_chain(issued.chain_pem), made.anchors, NOW).links
    assert made.revocations.judge(links, NOW)[0] is not None
    with pytest.raises(CertificateError, match="not signed by anybody who may"):
        trust(tmp_path, anchors="first.pem", crl="pa.crl")
    with pytest.raises(StartupError, match=r"missing\.crl"):
        trust(tmp_path, crl="missing.crl")


@pytest.mark.parametrize("crl", ["", "http://policy-administrator.example/crl", "ldap://x/", "https://x/?y"])
def test_a_list_is_a_file_or_an_https_url(tmp_path: Path, crl: str) -> None:
    """Anything else is a mistake in the configuration."""
    with pytest.raises(ValueError, match="neither a file nor a URL"):
        trust(tmp_path, crl=crl)
