"""``sipguard account``."""

from pathlib import Path

import pytest

from tests.cli.kit import CONFIGURATION, Shell


def test_life_of_an_account(tmp_path: Path) -> None:
    """An account is added, suspended with everything below it, activated and removed."""
    shell = Shell(tmp_path)
    assert shell.run("account", "add", "acme") == (0, "", "account acme added\n")
    assert shell.data("account", "add", "acme/sales", "--kind", "end_user", "--parent", "acme")["kind"] == "end_user"
    assert shell.run("account", "suspend", "acme").code == 0
    states = {entry["name"]: entry["state_in_force"] for entry in shell.data("account", "list")}
    assert states == {"acme": "suspended", "acme/sales": "suspended"}
    assert shell.data("account", "activate", "acme")["state"] == "active"
    assert shell.data("account", "set", "acme", "--state", "restricted", "--attest-cap", "B") == {
        "name": "acme",
        "state": "restricted",
        "attest_cap": "B",
    }
    assert shell.data("account", "set", "acme", "--attest-cap", "none")["attest_cap"] is None
    assert shell.run("account", "remove", "acme").code == 1
    assert shell.run("account", "remove", "acme/sales").code == 0
    assert [entry["name"] for entry in shell.data("account", "list")] == ["acme"]


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("add", "acme"), 1, 'account "acme" exists already'),
        (("add", "bad name"), 2, "not a name"),
        (("add", "x", "--kind", "acount"), 2, "acount"),
        (("add", "x", "--attest-cap", "A"), 2, "attest-cap"),
        (("set", "acme"), 2, "at least one"),
        (("suspend", "nobody"), 1, 'no account is called "nobody"'),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_refusals(tmp_path: Path, arguments: tuple[str, ...], code: int, why: str) -> None:
    """What cannot be done exits with 1, what cannot be meant with 2, and the reason is on standard error."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    outcome = shell.run("account", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert why in outcome.err
    assert "Traceback" not in outcome.err
    if code == 1:
        assert outcome.err.count("\n") == 1


@pytest.mark.clause("RCD-01")
def test_a_caller_name(tmp_path: Path) -> None:
    """A name to show is set, imported and taken away; one that cannot be shown is refused."""
    shell = Shell(tmp_path)
    assert shell.data("account", "add", "acme", "--caller-name", "Zoë & Co")["caller_name"] == "Zoë & Co"
    assert shell.data("account", "set", "acme", "--caller-name", "none")["caller_name"] is None
    for name in ("", " Acme", "A\tB", "x" * 65):
        refused = shell.run("account", "set", "acme", "--caller-name", name)
        assert refused.code == 2
        assert "is not a name to show" in " ".join(refused.err.replace("│", " ").split())
    file = tmp_path / "accounts.csv"
    file.write_text("name,caller_name\nacme,Acme Corp\nbeta,\n")
    assert shell.run("account", "import", str(file)).code == 0
    names = {entry["name"]: entry["caller_name"] for entry in shell.data("account", "list")}
    assert names == {"acme": "Acme Corp", "beta": None}


def test_import(tmp_path: Path) -> None:
    """A bad file is refused with every line, a good one stored, and validation stores nothing."""
    shell = Shell(tmp_path)
    file = tmp_path / "accounts.csv"
    file.write_text("name,kind,parent\nacme,account,\nx,account,nobody\ny,what,\n")
    refused = shell.run("account", "import", str(file))
    assert refused.code == 1
    assert f"{file}:3: " in refused.err
    assert f"{file}:4: " in refused.err
    file.write_text("name\nacme\n")
    good = {
        "rows": 1,
        "stored": False,
        "new": 1,
        "changed": 0,
        "removed": 0,
        "problems": [],
        "warnings": [],
        "omitted_warnings": 0,
    }
    assert shell.data("account", "import", str(file), "--validate-only") == good
    assert shell.data("account", "list") == []
    assert shell.run("account", "import", str(file)) == (0, "", "1 rows stored: 1 new, 0 changed, 0 removed\n")
    assert len(shell.data("account", "list")) == 1


def test_states_with_their_reasons(tmp_path: Path) -> None:
    """Each verb puts an account into its state, says why in the audit, and names those below that it touches."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    shell.run("account", "add", "acme/sales", "--kind", "end_user", "--parent", "acme")
    for verb, state, before in (
        ("warn", "warned", "active"),
        ("restrict", "restricted", "warned"),
        ("suspend", "suspended", "restricted"),
        ("terminate", "terminated", "suspended"),
    ):
        assert shell.data("account", verb, "acme", "--reason", f"for {verb}") == {
            "name": "acme", "state": state, "in_force": state, "reason": f"for {verb}",
            "below": [{"name": "acme/sales", "before": before, "after": state}],
        }  # fmt: skip
    reasons = [entry["after"].get("reason") for entry in shell.data("audit", "--what", "account.set")]
    assert reasons == ["for terminate", "for suspend", "for restrict", "for warn"]
    facts = shell.data("explain", "account", "acme/sales")["state"]
    assert (facts["imposed_by"], facts["reason"]) == ("acme", "for terminate")


def test_the_cascade_for_people(tmp_path: Path) -> None:
    """A line for each account below; one that something above holds back is said to be."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    shell.run("account", "add", "acme/sales", "--kind", "end_user", "--parent", "acme")
    assert shell.run("account", "suspend", "acme") == (
        0, "", "account acme is suspended\n  acme/sales: active -> suspended\n",
    )  # fmt: skip
    assert shell.run("account", "warn", "acme/sales") == (
        0, "", "account acme/sales is warned, but suspended by an account above it\n",
    )  # fmt: skip
    for number in range(21):
        shell.run("account", "add", f"acme/{number}", "--kind", "end_user", "--parent", "acme")
    assert shell.run("account", "activate", "acme").err.endswith("  and 2 more below it\n")


def test_termination_is_final(tmp_path: Path) -> None:
    """Nothing but activate --force takes it back; neither does set or an import."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    shell.run("account", "terminate", "acme")
    file = tmp_path / "accounts.csv"
    file.write_text("name,state\nacme,active\n")
    for arguments in (
        ("activate", "acme"), ("suspend", "acme"), ("set", "acme", "--state", "warned"), ("import", str(file)),
    ):  # fmt: skip
        refused = shell.run("account", *arguments)
        assert (refused.code, "which is final" in refused.err) == (1, True)
    assert shell.data("account", "list")[0]["state"] == "terminated"
    assert shell.data("account", "activate", "acme", "--force", "--reason", "mistake")["state"] == "active"


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 257])
def test_a_reason_is_one_line(tmp_path: Path, reason: str) -> None:
    """What stands in the audit can be read there."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    assert shell.run("account", "suspend", "acme", "--reason", reason).code == 2
    assert shell.data("account", "list")[0]["state"] == "active"


SIGNING = """[stir.sign.certificates.default]
certificate = "leaf.pem"
key = "leaf.key"
url = "https://certificates.example.com/leaf.pem"
[stir.sign.certificates.resellers]
certificate = "leaf.pem"
key = "leaf.key"
url = "https://certificates.example.com/leaf.pem"
"""


@pytest.mark.clause("issue 5")
def test_a_certificate_that_nobody_knows(tmp_path: Path) -> None:
    """A name that the configuration does not have is refused where it is typed, with the one that was meant."""
    for name in ("leaf.pem", "leaf.key"):
        (tmp_path / name).touch()
    shell = Shell(tmp_path, CONFIGURATION + SIGNING)
    (tmp_path / "accounts.csv").write_text("name,certificate\nacme,resellers\nother,reseler\n")
    why = 'there is no [stir.sign.certificates.reseler] (did you mean "resellers"?)'
    assert shell.run("account", "add", "acme", "--certificate", "resellers").code == 0
    trunk = ("trunk", "add", "pbx", "--side", "customer", "--account", "acme", "--source", "203.0.113.7")
    for arguments in (
        ("account", "add", "other", "--certificate", "reseler"),
        ("account", "set", "acme", "--certificate", "reseler"),
        (*trunk, "--certificate", "reseler"),
    ):
        outcome = shell.run(*arguments)
        assert outcome.code == 2
        assert why in " ".join(outcome.err.replace("│", " ").split())
    outcome = shell.run("account", "import", str(tmp_path / "accounts.csv"))
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, f"{tmp_path / 'accounts.csv'}:3: {why}")
    assert [account["name"] for account in shell.data("account", "list")] == ["acme"]
    assert shell.run("account", "set", "acme", "--certificate", "none").code == 0
    assert shell.run(*trunk).code == 0
    carrier = ("trunk", "add", "c", "--side", "network", "--target", "sip:192.0.2.9", "--certificate", "reseler")
    assert shell.run(*carrier).code == 0
    assert Shell(tmp_path).run("account", "set", "acme", "--certificate", "default").code == 0
