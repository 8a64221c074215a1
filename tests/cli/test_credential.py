"""``sipguard trunk credential``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sipguard.cli.main import app
from sipguard.registry import Registry
from sipguard.sip.digest import secret_of
from tests.cli.kit import CONFIGURATION, Shell

ROAMING = """
[[trunk]]
name = "acme-roaming"
side = "customer"
account = "acme"
digest = true
[digest]
realm = "sip.example"
algorithms = ["MD5", "SHA-256"]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell with a trunk that is known by credentials."""
    return Shell(tmp_path, CONFIGURATION + ROAMING)


def typed(shell: Shell, password: str, *arguments: str) -> tuple[int, str]:
    """Run ``credential set`` with a password on standard input; exit code and everything printed."""
    words = ["trunk", "credential", "set", *arguments, "--config", str(shell.config)]
    result = CliRunner().invoke(app, words, input=password + "\n")
    return result.exit_code, result.output


@pytest.mark.clause("PRX-32")
def test_a_password_is_read_and_what_it_becomes_is_kept(shell: Shell, tmp_path: Path) -> None:
    """From standard input, for every configured algorithm; neither list nor output shows password or secret."""
    code, output = typed(shell, "correct horse", "acme-roaming", "acme")
    assert (code, "correct" in output) == (0, False)
    listed = shell.data("trunk", "credential", "list")
    assert listed == [
        {"trunk": "acme-roaming", "username": "acme", "realm": "sip.example", "algorithms": ["MD5", "SHA-256"]}
    ]
    directory = Registry(f"sqlite:///{tmp_path / 'var' / 'registry.db'}").directory()
    known = directory.credential("sip.example", "SHA-256", "acme")
    assert known is not None
    assert known.secret == secret_of("SHA-256", "acme", "sip.example", "correct horse")
    assert known.secret not in str(shell.run("trunk", "credential", "list"))
    assert shell.run("trunk", "credential", "remove", "acme-roaming", "acme").code == 0
    assert shell.run("trunk", "credential", "list") == (0, "", "no credentials yet\n")


def test_a_made_password_is_shown_once(shell: Shell) -> None:
    """On standard output, or in the record; two are never the same."""
    first = shell.run("trunk", "credential", "set", "acme-roaming", "acme", "--generate")
    second = shell.data("trunk", "credential", "set", "acme-roaming", "acme", "--generate")
    assert len(first.out.strip()) == 24
    assert first.out.strip() not in first.err
    assert second["password"] != first.out.strip()


@pytest.mark.parametrize(
    ("arguments", "password", "code", "why"),
    [
        (("acme-roaming", "acme"), "short", 2, "8 to 128 characters"),
        (("acme-roaming", "acme"), "", 2, "8 to 128 characters"),
        (("acme-roaming", 'a"b'), "long enough", 2, "not a user name"),
        (("nobody", "acme"), "long enough", 1, 'no trunk is called "nobody"'),
        (("carrier-a", "acme"), "long enough", 1, "network trunk"),
        (("acme-pbx", "acme"), "long enough", 0, "digest = true"),
    ],
)
def test_refusals(shell: Shell, arguments: tuple[str, ...], password: str, code: int, why: str) -> None:
    """What cannot be used is refused before anything is kept; a trunk that does not ask yet is pointed out."""
    found, output = typed(shell, password, *arguments)
    assert found == code
    assert why in " ".join(output.replace("│", " ").split())
    assert password == "" or password not in output


def test_check_finds_passwords_for_another_realm(shell: Shell) -> None:
    """After the realm changed nobody would get in, so check says which trunk needs new passwords."""
    shell.run("account", "add", "acme")
    typed(shell, "correct horse", "acme-roaming", "acme")
    assert shell.run("check").code == 0
    shell.config.write_text(shell.config.read_text().replace("sip.example", "new.example"))
    outcome = shell.run("check")
    assert outcome.code == 2
    assert "trunk.acme-roaming.digest" in outcome.err + outcome.out


@pytest.mark.clause("AS-02")
def test_explain_needs_no_credentials(shell: Shell, tmp_path: Path) -> None:
    """A call of a digest trunk is explained as that trunk's, though the file's credentials are long used up."""
    shell.run("account", "add", "acme")
    shell.run("number", "add", "+14155550100", "--account", "acme")
    file = tmp_path / "invite.sip"
    file.write_text(
        "INVITE sip:+12125550123@198.51.100.10 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.77;branch=z9hG4bK1\r\n"
        "From: <sip:+14155550100@x>;tag=1\r\nTo: <sip:+12125550123@x>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sip:x@198.51.100.77>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    outcome = shell.run("explain", str(file), "--from", "acme-roaming")
    assert outcome.code == 0, outcome
    assert "not checked: credentials" in outcome.out
    record = shell.data("explain", str(file), "--from", "acme-roaming")["record"]
    assert (record["trunk"], record["decision"]) == ("acme-roaming", "forward")
