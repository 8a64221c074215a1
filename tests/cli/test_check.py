"""``sipguard check``: what would keep the proxy from starting."""

import json
from pathlib import Path

from tests.cli.kit import CONFIGURATION, Shell


def test_good(tmp_path: Path) -> None:
    """A good configuration is summed up, with remarks about what is probably not meant."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    outcome = shell.run("check")
    assert outcome.code == 0
    assert outcome.out.startswith("configuration ok\n")
    assert "acme-pbx (customer), carrier-a (network)" in outcome.out
    assert "no signing certificate" in outcome.err
    report = shell.data("check")
    assert report["ok"]
    assert report["summary"]["accounts"] == 1


def test_configuration_errors(tmp_path: Path) -> None:
    """Every mistake in the file is a line with its key, and the exit code is 2."""
    shell = Shell(tmp_path, CONFIGURATION.replace("sources", "soures").replace("udp", "sctp"))
    outcome = shell.run("check")
    assert (outcome.code, outcome.out) == (2, "")
    lines = outcome.err.splitlines()
    assert all(line.startswith("sipguard: ") for line in lines)
    assert {line.split(": ")[1] for line in lines} == {
        "listener[0].transport",
        "trunk.acme-pbx.soures",
        "trunk.acme-pbx.sources",
        "trunk.carrier-a.targets[0]",
    }


def test_outside_errors(tmp_path: Path) -> None:
    """Mistakes in files and registry are found together, each under the key that names them."""
    (tmp_path / "anchors.pem").write_text("nothing")
    shell = Shell(
        tmp_path,
        CONFIGURATION
        + '[stir.verify]\nanchors = "anchors.pem"\nhttps_ca = "missing.pem"\n'
        + '[stir.sign.certificates.default]\ncertificate = "c.pem"\nkey = "c.key"\nurl = "https://c.example/c.pem"\n',
    )
    outcome = shell.run("check", "--json")
    assert outcome.code == 2
    report = json.loads(outcome.out)
    assert {problem["key"] for problem in report["problems"]} == {
        "trunk.acme-pbx.account",
        "stir.sign.certificates.default",
        "stir.verify.anchors",
        "stir.verify.https_ca",
    }


def test_no_file(tmp_path: Path) -> None:
    """A configuration file that is not there is one line."""
    shell = Shell(tmp_path)
    shell.config.unlink()
    outcome = shell.run("check")
    assert (outcome.code, outcome.err) == (2, f"sipguard: {shell.config}: cannot be read: No such file or directory\n")
