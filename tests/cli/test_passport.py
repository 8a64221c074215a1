"""``sipguard passport``: what is signed by hand verifies, what is changed does not, and every token can be shown."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sipguard.cli.main import app
from sipguard.stir import base64url
from tests.cli.kit import CONFIGURATION, Outcome
from tests.runtime.repository import Repository, response

URL = "https://certificates.example.com/leaf.pem"
ORIG, DEST = "+12155550100", "+14155550123"
NETWORK = CONFIGURATION.replace('account = "acme"\n', "").replace('side = "customer"', 'side = "network"')
INVITE = """INVITE sip:{called}@192.0.2.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1
Max-Forwards: 70
From: "Ann" <sip:{calling}@192.0.2.9>;tag=1
To: <sip:{called}@192.0.2.1>
Call-ID: 1
CSeq: 1 INVITE
{identity}
Content-Length: 0

"""


def run(*words: str, stdin: str | bytes | None = None) -> Outcome:
    """Run a command of any noun; an exception that is not an exit fails the test."""
    result = CliRunner().invoke(app, words, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


class Desk:
    """A directory with a TEST authority and a signing certificate, and the commands that use them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        assert run("cert", "ca", str(directory)).code == 0
        assert run("cert", "issue", str(directory), "--spc", "1234").code == 0

    def file(self, name: str) -> str:
        """The path of one of its files."""
        return str(self.directory / name)

    def sign(self, *words: str) -> Outcome:
        """``passport sign`` with its certificate."""
        files = ["--certificate", self.file("leaf.pem"), "--key", self.file("leaf.key"), "--url", URL]
        return run("passport", "sign", *files, *words)

    def header(self, *words: str) -> str:
        """A header field for the usual numbers."""
        outcome = self.sign("--orig", ORIG, "--dest", DEST, "--attest", "A", *words)
        assert outcome.code == 0, outcome
        return outcome.out.rstrip("\n")

    def verify(self, material: str, *words: str) -> Outcome:
        """``passport verify`` of some text, trusting its authority."""
        files = ["--anchors", self.file("anchors.pem"), "--certificate", self.file("leaf.pem")]
        return run("passport", "verify", "-", *files, *words, stdin=material)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A new desk."""
    return Desk(tmp_path)


def tampered(header: str, segment: int) -> str:
    """The header field with one character of one segment of its token changed, still base64url of the same length."""
    token, semicolon, rest = header.partition(";")
    segments = token.split(".")
    text = segments[segment]
    segments[segment] = text[:20] + ("A" if text[20] != "A" else "B") + text[21:]
    return ".".join(segments) + semicolon + rest


@pytest.mark.clause("VS-21", "AS-12")
def test_what_is_signed_verifies_and_what_is_tampered_does_not(desk: Desk) -> None:
    """From authority to certificate to token to verdict: exit code 0; with one character changed: exit code 1."""
    header = desk.header()
    good = desk.verify(header, "--orig", ORIG, "--dest", DEST)
    assert (good.code, good.err) == (0, "")
    assert good.out == "TN-Validation-Passed\n  shaken good, attest A, SPC 1234\n"
    for segment in range(3):
        bad = desk.verify(tampered(header, segment), "--orig", ORIG, "--dest", DEST)
        assert bad.code == 1, segment
        assert bad.out.startswith("TN-Validation-Failed\n")


@pytest.mark.clause("VS-09", "VS-17", "VS-22", "VS-20")
@pytest.mark.parametrize(
    ("words", "reason", "code"),
    [
        (("--orig", "+12155550199"), "orig-mismatch", 438),
        (("--dest", "+12155550199"), "dest-mismatch", 438),
        (("--at", "1800000000"), "stale", 403),
    ],
)
def test_the_verdict_says_why(desk: Desk, words: tuple[str, ...], reason: str, code: int) -> None:
    """Other numbers, another time: the reason and the response code, for each header field."""
    outcome = desk.verify(desk.header("--iat", "1790000000"), "--at", "1790000010", "--json", *words)
    assert outcome.code == 1
    verdict = json.loads(outcome.out)
    assert (verdict["verstat"], verdict["reason"], verdict["code"]) == ("TN-Validation-Failed", reason, code)
    assert [header["reason"] for header in verdict["headers"]] == [reason]


def test_another_authority_is_not_trusted(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A chain that leads elsewhere is refused with 437, though its signature is good."""
    other = Desk(tmp_path_factory.mktemp("other"))
    outcome = run("passport", "verify", desk.header(), "--anchors", other.file("anchors.pem"), "--certificate",
                  desk.file("leaf.pem"), "--json")  # fmt: skip
    assert outcome.code == 1
    assert json.loads(outcome.out)["code"] == 437


def test_a_delegate_signs_for_its_numbers_only(desk: Desk) -> None:
    """A certificate that names numbers passes for one of them and fails for another (CRT-03)."""
    run("cert", "issue", str(desk.directory), "--spc", "1234", "--authority", "--name", "parent")
    words = ["--below", "parent", "--range", "+12155550100-+12155550109", "--force"]
    assert run("cert", "issue", str(desk.directory), *words).code == 0
    assert desk.verify(desk.header()).code == 0
    words = ["--below", "parent", "--range", "+12155550110-+12155550119", "--name", "other"]
    assert run("cert", "issue", str(desk.directory), *words).code == 0
    assert "does not name +12155550199" in desk.sign("--orig", "+12155550199", "--dest", DEST).err
    files = ("--anchors", desk.file("anchors.pem"), "--certificate", desk.file("other.pem"))
    refused = run("passport", "verify", desk.header(), *files)
    assert refused.code == 1
    assert "certificate-scope (437)" in refused.out


def test_a_message_is_its_own_signalling(desk: Desk, tmp_path: Path) -> None:
    """In a SIP message the token is held against From and To; line ends may be those of an editor."""
    path = tmp_path / "invite.sip"
    files = ("--anchors", desk.file("anchors.pem"), "--certificate", desk.file("leaf.pem"))
    path.write_text(INVITE.format(calling=ORIG, called=DEST, identity=desk.header()))
    assert run("passport", "verify", str(path), *files) == Outcome(
        0, "TN-Validation-Passed\n  shaken good, attest A, SPC 1234\n", ""
    )
    path.write_text(INVITE.format(calling="2155550199", called=DEST, identity=desk.header().replace("Identity", "y")))
    assert "orig-mismatch" in run("passport", "verify", str(path), *files).out
    path.write_text(INVITE.format(calling=ORIG, called=DEST, identity="Subject: none"))
    nothing = run("passport", "decode", str(path))
    assert (nothing.code, nothing.err) == (1, "sipguard: the message has no Identity header field\n")


@pytest.mark.clause("RFC 8224 6.2.4")
def test_a_call_to_a_name_is_compared_by_uri(desk: Desk, tmp_path: Path) -> None:
    """--dest stands in for To and the Request-URI; without it a name there is no number that was signed for."""
    path = tmp_path / "invite.sip"
    text = INVITE.format(calling=ORIG, called="bob", identity=desk.header())
    path.write_text(text)
    files = ("--anchors", desk.file("anchors.pem"), "--certificate", desk.file("leaf.pem"))
    assert "dest-mismatch" in run("passport", "verify", str(path), *files).out
    assert run("passport", "verify", str(path), *files, "--dest", DEST).code == 0


@pytest.mark.clause("VS-01", "VS-02")
def test_several_header_fields_are_each_told(desk: Desk, tmp_path: Path) -> None:
    """One good field among bad ones passes, and each has its line."""
    path = tmp_path / "invite.sip"
    identity = f"Identity: garbage\n{tampered(desk.header(), 2)}\n{desk.header()}"
    path.write_text(INVITE.format(calling=ORIG, called=DEST, identity=identity))
    files = ("--anchors", desk.file("anchors.pem"), "--certificate", desk.file("leaf.pem"))
    outcome = run("passport", "verify", str(path), *files)
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 4


def test_without_a_certificate_nothing_is_known(desk: Desk) -> None:
    """Neither file nor --fetch: No-TN-Validation, exit code 1, and a note that says what to name."""
    outcome = run("passport", "verify", desk.header(), "--anchors", desk.file("anchors.pem"))
    assert outcome.code == 1
    assert outcome.out.startswith("No-TN-Validation\n")
    assert f"the certificate at {URL} was not fetched: name --certificate or --fetch" in outcome.err
    assert "orig was not compared with a call" in outcome.err


def test_a_bare_token(desk: Desk) -> None:
    """A token without a header field gets the parameters it describes itself."""
    token = desk.header().removeprefix("Identity: ").partition(";")[0]
    files = ("--anchors", desk.file("anchors.pem"), "--certificate", desk.file("leaf.pem"))
    assert run("passport", "verify", token, *files).code == 0
    assert json.loads(run("passport", "decode", token, "--json").out)[0]["parameters"]["info"] == URL


@pytest.mark.clause("VS-31", "VS-33", "VS-35")
def test_fetch(desk: Desk) -> None:
    """--fetch gets the chain from the token's URL by the rules of a call: a private host only where it is allowed."""

    async def scenario() -> tuple[Outcome, Outcome, int]:
        async with Repository(desk.directory) as repository:
            repository.pages["/leaf.pem"] = response((desk.directory / "leaf.pem").read_bytes())
            url = f"https://localhost:{repository.port}/leaf.pem"
            files = ("--certificate", desk.file("leaf.pem"), "--key", desk.file("leaf.key"), "--url", url)
            header = run("passport", "sign", "--orig", ORIG, "--dest", DEST, *files).out
            config = desk.directory / "sipguard.toml"
            config.write_text(
                f'{NETWORK}[stir.verify]\nanchors = "anchors.pem"\nhttps_ca = "{repository.authorities}"\n'
                'allow_private_hosts = ["localhost"]\n'
            )
            words = ("passport", "verify", header, "--fetch")
            allowed = await asyncio.to_thread(run, *words, "--config", str(config))
            fetched = repository.requests.total()
            refused = await asyncio.to_thread(run, *words, "--anchors", desk.file("anchors.pem"))
            assert repository.requests.total() == fetched
            return allowed, refused, fetched

    allowed, refused, fetched = asyncio.run(asyncio.wait_for(scenario(), 30))
    assert (allowed.code, fetched) == (0, 1), allowed
    assert refused.code == 1
    assert "x5u-refused (436)" in refused.out


@pytest.mark.clause("AS-17", "AS-18")
def test_what_sign_puts_in(desk: Desk) -> None:
    """National numbers are made international, several called numbers are sorted, the origid is a UUID of its own."""
    words = ("--orig", "(215) 555-0100", "--dest", DEST, "--dest", "212 555 0123", "--attest", "B", "--json")
    one, two = (json.loads(desk.sign(*words).out) for _ in range(2))
    assert one["claims"]["orig"] == {"tn": "12155550100"}
    assert one["claims"]["dest"] == {"tn": ["12125550123", "14155550123"]}
    assert one["claims"]["attest"] == "B"
    assert one["claims"]["origid"] != two["claims"]["origid"]
    assert one["unusual"] == []


def test_sign_with_the_configuration(desk: Desk) -> None:
    """A certificate of the configuration is named by --signer; an unknown name is answered with those there are."""
    config = desk.directory / "sipguard.toml"
    section = f'certificate = "leaf.pem"\nkey = "leaf.key"\nurl = "{URL}"\n'
    config.write_text(f'{NETWORK}[stir.verify]\nanchors = "anchors.pem"\n[stir.sign.certificates.default]\n{section}')
    words = ("--orig", ORIG, "--dest", DEST, "--config", str(config))
    signed = run("passport", "sign", *words)
    assert signed.code == 0, signed
    outcome = run("passport", "verify", signed.out, "--config", str(config), "--certificate", desk.file("leaf.pem"))
    assert outcome.code == 0, outcome
    unknown = run("passport", "sign", *words, "--signer", "other")
    assert (unknown.code, unknown.err) == (
        1, "sipguard: no certificate 'other' in stir.sign.certificates; there are: default\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--orig", "alice", "--dest", DEST), "is not a telephone number"),
        (("--orig", ORIG, "--dest", DEST, "--attest", "D"), "'A', 'B', 'C'"),
        (("--orig", ORIG, "--dest", DEST, "--origid", "1"), "valid UUID"),
        (("--orig", ORIG, "--dest", DEST, "--country", "XX"), "is not a country code"),
    ],
)
def test_mistakes_are_usage_errors(desk: Desk, words: tuple[str, ...], said: str) -> None:
    """Values that cannot be signed end with exit code 2."""
    outcome = desk.sign(*words)
    assert outcome.code == 2
    assert said in " ".join(outcome.err.replace("│", " ").split())


def test_certificate_key_and_url_go_together(desk: Desk) -> None:
    """One of the three alone is an error of usage."""
    outcome = run("passport", "sign", "--orig", ORIG, "--dest", DEST, "--key", desk.file("leaf.key"))
    assert outcome.code == 2


def encoded(value: object) -> str:
    """A segment of a token."""
    return base64url.encode(value if isinstance(value, bytes) else json.dumps(value).encode())


HEADER: dict[str, Any] = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": URL}


@pytest.mark.parametrize(
    ("token", "remark"),
    [
        (f"{encoded({**HEADER, 'alg': 'none'})}.{encoded({})}.", "alg is not ES256"),
        (f"{encoded({**HEADER, 'x5u': 'http://x'})}.{encoded({})}.AA", "a verifier does not fetch it"),
        (f"{encoded({**HEADER, 'ppt': 'foo'})}.{encoded({'iat': 1})}.AA", "a ppt this program does not know"),
        (f"{encoded(HEADER)}.{encoded({'iat': 'now'})}.AA", "iat is not a number of seconds"),
        (f"{encoded(HEADER)}.{encoded({'iat': 1})}.AA", "calls it stale"),
        (f"{encoded(HEADER)}.{encoded({'iat': 1, 'colour': 1})}.AA", "claims beside those of its type: colour"),
        (f"{encoded(HEADER)}.{encoded(b'[1]')}.AA", "the payload is not a JSON object"),
        (f"{encoded(HEADER)}.{encoded({'iat': 1})}.AA", "a signature of 1 octets"),
        (f"{encoded(HEADER)}.{encoded({'iat': 1})}.A!A", "signature: not base64url"),
        (f"{encoded(HEADER)}.{encoded(b'{ }')}.AA;info=<https://other.example/>;ppt=shaken", "info and x5u are not"),
        ("..AAAA;info=<https://x.example/>;alg=ES256", "compact form"),
        (f"{encoded(HEADER)}.{encoded({})};info=<{URL}>", "2 segments"),
        (f"{encoded(HEADER)}.{encoded(b'[' * 20000)}.AA", "the payload is not a JSON object"),
    ],
)
def test_decode_says_what_is_unusual(token: str, remark: str) -> None:
    """Each thing that a verifier would stop at, or a signer should not write, is named; the exit code stays 0."""
    outcome = run("passport", "decode", "-", "--json", stdin=token)
    assert outcome.code == 0, outcome
    assert any(remark in text for text in json.loads(outcome.out)[0]["unusual"]), outcome.out
    assert run("passport", "decode", "-", stdin=token).code == 0


def test_decode_explains(desk: Desk) -> None:
    """For people: header and claims, what the level means, when and with whose key it was signed."""
    outcome = run("passport", "decode", desk.header())
    assert "the signer knows the customer, and that the customer may use the number" in outcome.out
    assert re.search(r"issued 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC, [0-9]+ s ago", outcome.out)
    assert f"the certificate at {URL}, if the signature holds: not checked" in outcome.out
    assert "unusual" not in outcome.out


@pytest.mark.parametrize("text", ["", "hello", "\x00", "SIP/2.0 broken", "no-such-file.sip"])
def test_what_is_no_token_is_one_line(text: str) -> None:
    """Anything else ends with exit code 1 and one line that never holds a traceback."""
    for words in (("-",), (text,)) if text else (("-",),):
        outcome = run("passport", "decode", *words, stdin=text)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)


@pytest.mark.clause("PIT-1", "PIT-7")
def test_published_examples_are_shown(tmp_path: Path) -> None:
    """Tokens that no strict reader takes, like the ones printed in RFCs, are shown all the same."""
    vectors = Path(__file__).parents[1] / "stir" / "vectors"
    shown = 0
    for path in sorted(vectors.rglob("*.json")):
        vector = json.loads(path.read_text())
        identity = vector.get("identity") or vector.get("token") if isinstance(vector, dict) else None
        if isinstance(identity, str) and "." in identity:
            outcome = run("passport", "decode", "-", "--json", stdin=identity)
            assert outcome.code == 0, (path.name, outcome)
            shown += 1
    assert shown > 20
