"""``sipguard cert``: a TEST authority in a directory, requests, and what is said of good and broken certificates."""

import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from typer.testing import CliRunner

from sipguard.cli.main import app
from sipguard.runtime.clock import Clock
from sipguard.stir import base64url, claim_constraints, tn_auth_list
from sipguard.stir.claim_constraints import ClaimConstraints
from sipguard.stir.tn_auth_list import NumberRange, TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import DAY, Shape, StiCa, pem
from tests.cli.kit import CONFIGURATION, Outcome
from tests.runtime.softhsm import SoftToken

URL = "https://certificates.example.com/leaf.pem"


def run(*words: str, stdin: bytes | None = None) -> Outcome:
    """Run a command of the noun; an exception that is not an exit fails the test."""
    result = CliRunner().invoke(app, ["cert", *words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a TEST authority."""
    assert run("ca", str(tmp_path)).code == 0
    return tmp_path


def now() -> UnixTime:
    """The present, which the commands judge by."""
    return Clock().unix_time()


def inspected(chain: bytes) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and findings of ``inspect`` for the first certificate of a chain."""
    outcome = run("inspect", "--json", stdin=chain)
    return outcome.code, json.loads(outcome.out)[0]["findings"]


def test_keys_are_written_for_their_owner_alone_and_nothing_is_overwritten(directory: Path) -> None:
    """Keys have mode 0600; a second authority in the same place needs --force."""
    assert run("issue", str(directory), "--spc", "1234").code == 0
    for path in directory.glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    before = (directory / "root.pem").read_bytes()
    for words in (("ca", str(directory)), ("issue", str(directory), "--spc", "1234")):
        refused = run(*words)
        assert refused.code == 1
        assert "--force" in refused.err
    assert (directory / "root.pem").read_bytes() == before
    assert run("ca", str(directory), "--force").code == 0
    assert (directory / "root.pem").read_bytes() != before
    assert stat.S_IMODE((directory / "root.key").stat().st_mode) == 0o600


def test_what_is_issued_is_what_was_asked_for(directory: Path) -> None:
    """Code, days, numbers and ranges are in the certificate."""
    words = ["issue", str(directory), "--spc", "5678", "--tn", "+44 20 7946 0000", "--range", "2155550100-2155550199"]
    outcome = run(*words, "--days", "7", "--json")
    assert outcome.code == 0, outcome
    certificate = x509.load_pem_x509_certificates((directory / "leaf.pem").read_bytes())[0]
    value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(tn_auth_list.OID)).value
    assert isinstance(value, x509.UnrecognizedExtension)
    assert tn_auth_list.decode(value.value) == TnAuthList(
        ("5678",),
        (NumberRange("12155550100", 100),),
        ("442079460000",),  # type: ignore[arg-type]
    )
    assert abs(certificate.not_valid_after_utc.timestamp() - now() - 7 * DAY) < 60
    assert json.loads(outcome.out)["tn_auth_list"][0] == "service provider code 5678"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name at least one of"),
        (("--tn", "alice"), "is not a telephone number"),
        (("--range", "+12155550100"), "is not a range"),
        (("--range", "+12155550199-+12155550100"), "does not run"),
        (("--spc", "1234", "--name", "root"), "is no name"),
        (("--spc", "1234", "--name", "../leaf"), "is no name"),
        (("--spc", "Zürich"), "ascii"),
    ],
)
def test_mistakes_are_usage_errors(directory: Path, words: tuple[str, ...], said: str) -> None:
    """Values that make no certificate end with exit code 2 and a sentence, and write nothing."""
    outcome = run("issue", str(directory), *words)
    assert outcome.code == 2
    assert said in " ".join(outcome.err.replace("│", " ").split())
    assert not (directory / "leaf.pem").exists()


def test_a_directory_without_an_authority(tmp_path: Path) -> None:
    """Issuing from nothing is one line."""
    outcome = run("issue", str(tmp_path), "--spc", "1234")
    assert outcome.code in (1, 2)
    assert outcome.err.count("\n") == 1
    assert "intermediate.pem" in outcome.err


def test_check_of_a_good_chain(directory: Path) -> None:
    """Certificate, expiry, key, URL and chain are each said to be right, exit code 0."""
    run("issue", str(directory), "--spc", "1234")
    outcome = run(
        "check", str(directory / "leaf.pem"), "--key", str(directory / "leaf.key"), "--url", URL,
        "--anchors", str(directory / "anchors.pem"),
    )  # fmt: skip
    assert outcome.code == 0
    assert [line.split(":")[0] for line in outcome.out.splitlines()] == [
        f"ok  {what}" for what in ("certificate", "expiry", "key", "url", "chain")
    ]


@pytest.mark.clause("AS-05", "CRT-20", "VS-31")
def test_check_names_each_thing_that_is_bad(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another's key, a URL nobody fetches, another authority, an end too near: one line each, exit code 1."""
    other = tmp_path_factory.mktemp("other")
    run("ca", str(other))
    run("issue", str(directory), "--spc", "1234", "--days", "7")
    run("issue", str(directory), "--spc", "1234", "--name", "second")
    outcome = run(
        "check", str(directory / "leaf.pem"), "--key", str(directory / "second.key"), "--url", "http://127.0.0.1/x",
        "--anchors", str(other / "anchors.pem"), "--days", "14", "--json",
    )  # fmt: skip
    assert outcome.code == 1
    found = {check["what"]: (check["ok"], check["detail"]) for check in json.loads(outcome.out)}
    assert found["certificate"][0]
    assert found["key"] == (False, "does not belong to the certificate")
    assert found["url"][0] is False
    assert found["chain"] == (False, "no path to a trust anchor")
    assert found["expiry"] in ((False, "ends in 6 days"), (False, "ends in 7 days"))


def test_check_of_the_configuration(directory: Path) -> None:
    """Without a file, every signing certificate of the configuration is checked, each line with its name."""
    run("issue", str(directory), "--spc", "1234")
    config = directory / "sipguard.toml"
    config.write_text(
        f'{CONFIGURATION}[stir.verify]\nanchors = "anchors.pem"\n[stir.sign.certificates.default]\n'
        f'certificate = "leaf.pem"\nkey = "leaf.key"\nurl = "{URL}"\n'
    )
    outcome = run("check", "--config", str(config))
    assert outcome.code == 0, outcome
    assert outcome.out.splitlines()[0] == "ok  default: certificate: signs for 1234"
    (directory / "leaf.key").write_bytes((directory / "root.key").read_bytes())
    assert run("check", "--config", str(config)).code == 1
    config.write_text(CONFIGURATION)
    assert "no stir.sign.certificates" in run("check", "--config", str(config)).err


@pytest.mark.live
def test_check_of_a_key_in_hardware(tmp_path: Path) -> None:
    """A key in a token is held against the certificate, by a process of its own that sees the token."""
    token = SoftToken.create(tmp_path)
    authority = StiCa.create(now())
    token.certificate(authority)
    (tmp_path / "anchors.pem").write_bytes(authority.anchors_pem)
    config = tmp_path / "sipguard.toml"
    config.write_text(
        f'{CONFIGURATION}[stir.verify]\nanchors = "anchors.pem"\n[stir.sign.certificates.default]\n'
        f'certificate = "leaf.pem"\nkey = "{token.uri()}"\nurl = "{URL}"\n'
    )

    def check() -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "sipguard", "cert", "check", "--config", str(config)]
        return subprocess.run(words, env=token.environment, capture_output=True, text=True, timeout=30, check=False)

    good = check()
    assert good.returncode == 0, good
    assert "ok  default: key: belongs to the certificate" in good.stdout
    (tmp_path / "leaf.pem").write_bytes(authority.issue().chain_pem)
    bad = check()
    assert bad.returncode == 1
    assert "bad default: key: does not belong to the certificate" in bad.stdout


@pytest.mark.clause("CRT-26")
def test_a_request_holds_the_list_and_says_what_the_authority_token_needs(tmp_path: Path) -> None:
    """The CSR asks for the TNAuthList; tkvalue is its DER in base64url, the fingerprint that of the key."""
    outcome = run("csr", str(tmp_path), "--spc", "1234", "--organization", "Example Telecom", "--json")
    assert outcome.code == 0, outcome
    told = json.loads(outcome.out)
    request = x509.load_pem_x509_csr((tmp_path / "request.csr").read_bytes())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=SHAKEN 1234,O=Example Telecom,C=US"
    value = request.extensions.get_extension_for_oid(x509.ObjectIdentifier(tn_auth_list.OID)).value
    assert isinstance(value, x509.UnrecognizedExtension)
    assert base64url.decode(told["atc"]["tkvalue"]) == value.value
    assert told["identifier"] == {"type": "TNAuthList", "value": told["atc"]["tkvalue"]}
    assert told["atc"]["tktype"] == "TNAuthList"
    assert told["atc"]["ca"] is False
    assert len(told["atc"]["fingerprint"].removeprefix("SHA256 ").split(":")) == 32
    assert stat.S_IMODE((tmp_path / "request.key").stat().st_mode) == 0o600
    again = run("csr", str(tmp_path / "b"), "--spc", "1234", "--organization", "x", "--json", "--key",
                str(tmp_path / "request.key"))  # fmt: skip
    assert json.loads(again.out)["atc"] == told["atc"]
    assert not (tmp_path / "b" / "request.key").exists()


def test_a_request_says_what_its_token_members_mean(tmp_path: Path) -> None:
    """For people, each member of the authority token comes with its meaning."""
    outcome = run("csr", str(tmp_path), "--spc", "1234", "--organization", "Example Telecom")
    assert [line.split(":")[0] for line in outcome.out.splitlines() if line[0] != " "][1:] == [
        "tktype", "tkvalue", "ca", "fingerprint",
    ]  # fmt: skip


GOOD = Shape()
LONG_AGO, LATELY = UnixTime(1_600_000_000), UnixTime(1_700_000_000)
FAR, FARTHER = UnixTime(4_000_000_000), UnixTime(4_100_000_000)
BROKEN: list[tuple[str, Shape, str, str]] = [
    ("no list", replace(GOOD, entries=None), "error", "CRT-01"),
    ("list cut short", replace(GOOD, tn_auth_list_der=b"\x30\x09\xa0\x06\x16\x04123"), "error", "CRT-01"),
    ("list without tags", replace(GOOD, tn_auth_list_der=b"\x30\x06\x13\x041234"), "error", "CRT-01"),
    ("authority", replace(GOOD, authority=True), "error", "CRT-12"),
    ("key must not sign", replace(GOOD, digital_signature=False, cert_sign=True), "error", "CRT-12"),
    ("other policy", replace(GOOD, policy="1.2.3.4"), "error", "CRT-16"),
    ("unknown critical extension", replace(GOOD, critical_extension="1.2.3.4"), "error", "CRT-11"),
    ("expired", replace(GOOD, not_before=LONG_AGO, not_after=LATELY), "error", "CRT-21"),
    ("not yet valid", replace(GOOD, not_before=FAR, not_after=FARTHER), "error", "CRT-21"),
    ("SHA-384", replace(GOOD, digest=hashes.SHA384()), "warning", "CRT-11"),
    ("SHA-224", replace(GOOD, digest=hashes.SHA224()), "error", "CRT-11"),
    ("no basic constraints", replace(GOOD, basic_constraints=False), "warning", "CRT-12"),
    ("no key usage", replace(GOOD, key_usage=False), "warning", "CRT-12"),
    ("key usage too wide", replace(GOOD, cert_sign=True), "warning", "CRT-12"),
    ("no policy", replace(GOOD, policy=None), "warning", "CRT-16"),
    ("two codes", replace(GOOD, entries=TnAuthList(("1234", "5678"))), "warning", "CRT-15"),
    ("small letters", replace(GOOD, entries=TnAuthList(("12a4",))), "warning", "CRT-15"),
    ("another name", replace(GOOD, entries=TnAuthList(("9999",))), "warning", "CRT-14"),
]  # fmt: skip


@pytest.mark.clause("CRT-01", "CRT-11", "CRT-12", "CRT-14", "CRT-15", "CRT-16", "CRT-21")
@pytest.mark.parametrize(("shape", "level", "rule"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_inspect_names_the_rule_a_certificate_breaks(tmp_path: Path, shape: Shape, level: str, rule: str) -> None:
    """Each broken shape is named by its requirement: an error, exit code 1, exactly where a verifier refuses it."""
    authority = StiCa.create(now())
    chain = authority.issue(shape).chain_pem
    code, findings = inspected(chain)
    assert (level, rule) in {(finding["level"], finding["rule"]) for finding in findings}
    assert code == (1 if level == "error" else 0)
    (tmp_path / "leaf.pem").write_bytes(chain)
    (tmp_path / "anchors.pem").write_bytes(authority.anchors_pem)
    checked = run("check", str(tmp_path / "leaf.pem"), "--anchors", str(tmp_path / "anchors.pem"))
    assert checked.code == code


def test_inspect_of_a_good_chain_has_no_errors(directory: Path) -> None:
    """What the TEST authority issues breaks only what a TEST authority cannot have: a revocation list."""
    run("issue", str(directory), "--spc", "1234")
    code, findings = inspected((directory / "leaf.pem").read_bytes())
    assert code == 0
    assert {finding["rule"] for finding in findings} <= {"CRT-17"}
    shown = run("inspect", str(directory / "leaf.pem"))
    assert "tn auth list: service provider code 1234" in shown.out
    assert "1. CN=SHAKEN 1234" in shown.out


@pytest.mark.clause("CRT-09")
def test_inspect_sees_a_chain_in_the_wrong_order() -> None:
    """The root between leaf and intermediate is a warning: a verifier finds its path, others may not."""
    authority = StiCa.create(now())
    leaf = authority.issue()
    chain = pem(leaf.certificate, authority.root.certificate, authority.intermediate.certificate)
    code, findings = inspected(chain)
    assert code == 0
    assert ("warning", "CRT-09") in {(finding["level"], finding["rule"]) for finding in findings}
    assert inspected(pem(authority.intermediate.certificate, leaf.certificate))[0] == 1


@pytest.mark.clause("CRT-17")
def test_inspect_shows_the_distribution_point_and_its_issuer() -> None:
    """An indirect CRL's URL and issuer are shown, and the profile has nothing to complain of."""
    administrator = x509.Name.from_rfc4514_string("CN=STI-PA CRL,O=STI-PA,C=US")
    shape = Shape(crl_url="https://pa.example/crl", crl_issuer=administrator)
    report = json.loads(run("inspect", "--json", stdin=StiCa.create(now()).issue(shape).chain_pem).out)[0]
    assert report["crl"] == ["https://pa.example/crl, signed by CN=STI-PA CRL,O=STI-PA,C=US"]
    assert report["findings"] == []


@pytest.mark.clause("CRT-11")
def test_an_rsa_key_is_an_error() -> None:
    """A signer's key that is not P-256 is refused by verifiers, so inspect says error."""
    chain = StiCa.create(now()).issue(key=rsa.generate_private_key(65537, 2048)).chain_pem
    code, findings = inspected(chain)
    assert code == 1
    assert ("error", "CRT-11") in {(finding["level"], finding["rule"]) for finding in findings}


@pytest.mark.parametrize("octets", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_one_line(octets: bytes) -> None:
    """Anything else ends with exit code 1 and one line."""
    outcome = run("inspect", stdin=octets)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)


@pytest.mark.clause("CRT-08")
def test_inspect_sees_a_delegate_beyond_its_parent(directory: Path) -> None:
    """Numbers that the certificate above does not have are an error, of the chain and not of one certificate."""
    words = ["--authority", "--name", "parent", "--range", "+12155550100-+12155550199"]
    assert run("issue", str(directory), *words).code == 0
    assert run("issue", str(directory), "--below", "parent", "--name", "good", "--tn", "+12155550150").code == 0
    assert run("issue", str(directory), "--below", "parent", "--name", "bad", "--tn", "+12155550200").code == 0
    code, findings = inspected((directory / "good.pem").read_bytes())
    assert (code, {finding["rule"] for finding in findings} - {"CRT-17"}) == (0, set())
    code, findings = inspected((directory / "bad.pem").read_bytes())
    assert code == 1
    assert ("error", "CRT-08") in {(finding["level"], finding["rule"]) for finding in findings}


@pytest.mark.clause("CRT-21")
def test_inspect_sees_a_chain_that_does_not_hold() -> None:
    """A leaf under an intermediate of the same name that did not sign it is an error."""
    one, other = StiCa.create(now()), StiCa.create(now())
    code, findings = inspected(pem(one.issue().certificate, other.intermediate.certificate))
    assert code == 1
    assert ("error", "CRT-21") in {(finding["level"], finding["rule"]) for finding in findings}


def with_extensions(*extensions: tuple[str, bytes]) -> bytes:
    """A chain whose leaf has further extensions."""
    return StiCa.create(now()).issue(Shape(extensions=extensions)).chain_pem


@pytest.mark.clause("CRT-05", "CRT-06", "CRT-07")
def test_inspect_explains_claim_constraints() -> None:
    """What a token must and must not claim is said in words; both kinds of constraints together are an error."""
    include = claim_constraints.encode(ClaimConstraints(must_include=("attest",)))
    report = json.loads(run("inspect", "--json", stdin=with_extensions((claim_constraints.OID, include))).out)[0]
    assert report["claim_constraints"] == ["a token must have the claim attest"]
    exclude = claim_constraints.encode(ClaimConstraints(must_exclude=("rcd",)))
    both = ((claim_constraints.OID, include), (claim_constraints.ENHANCED_OID, exclude))
    code, findings = inspected(with_extensions(*both))
    assert code == 1
    assert "the certificate has both kinds of JWT claim constraints" in {finding["text"] for finding in findings}
