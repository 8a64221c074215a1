"""``sipguard number``, ``trunk``, ``emergency``, ``list`` and ``policy``."""

import json
from pathlib import Path

import pytest

from sipguard.policy.rules import TABLE
from tests.cli.kit import CONFIGURATION, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell whose registry has one account."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    return shell


def test_numbers(shell: Shell) -> None:
    """A number is given in any spelling, shown with its plus, and taken away."""
    record = shell.data("number", "add", "(415) 555-0100", "--account", "acme", "--expires", "2027-01-01")
    assert record == {"number": "+14155550100", "account": "acme", "kind": "owned", "expires": "2027-01-01T00:00:00Z",
                      "end_user": None, "trunk": None, "max_calls": None}  # fmt: skip
    assert shell.data("number", "list", "--account", "acme") == [record]
    lines = shell.run("number", "list").out.splitlines()
    assert lines[0].split("\t")[:2] == ["number", "account"]
    assert lines[1].split("\t")[:2] == ["+14155550100", "acme"]
    assert shell.run("number", "remove", "+14155550100").code == 0
    assert shell.run("number", "remove", "+14155550100").code == 1
    assert shell.run("number", "list") == (0, "", "no numbers\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("12", "--account", "acme"), 2),
        (("+14155550100",), 2),
        (("+14155550100", "--account", "acme", "--kind", "rented"), 2),
        (("+14155550100", "--account", "acme", "--expires", "soon"), 2),
        (("4155550100", "--account", "acme", "--country", "XX"), 2),
        (("+14155550100", "--account", "nobody"), 1),
    ],
)
def test_bad_numbers(shell: Shell, arguments: tuple[str, ...], code: int) -> None:
    """A wrong value is an error of usage, an unknown account a refusal."""
    outcome = shell.run("number", "add", *arguments)
    assert (outcome.code, outcome.out) == (code, "")


def test_number_import(shell: Shell, tmp_path: Path) -> None:
    """Two owners of one number are refused, naming both rows."""
    shell.run("account", "add", "globex")
    file = tmp_path / "numbers.csv"
    file.write_text("number,account,kind\n4155550111,acme,owned\n4155550111,globex,owned\n")
    outcome = shell.run("number", "import", str(file))
    assert outcome.code == 1
    assert f'{file}:3: +14155550111 is owned by account "acme" in line 2 already\n' in outcome.err


def test_numbers_nobody_can_call_from(shell: Shell, tmp_path: Path) -> None:
    """An unallocated number is refused until the operator names its range; a premium one is warned of."""
    refused = shell.run("number", "add", "+13335550100", "--account", "acme")
    assert refused.code == 2
    assert "assigned to nobody" in " ".join(refused.err.replace("│", " ").split())
    warned = shell.run("number", "add", "+19005550100", "--account", "acme")
    assert warned.code == 0
    assert warned.err.startswith("warning: +19005550100 is a premium number")
    file = tmp_path / "numbers.csv"
    file.write_text("number,account,kind\n3335550111,acme,owned\n")
    outcome = shell.run("number", "import", str(file))
    assert outcome.code == 1
    assert f'{file}:2: "3335550111" is in a range' in outcome.err
    file.write_text("number,account,kind\n9005550111,acme,owned\n")
    assert shell.data("number", "import", str(file))["warnings"][0]["line"] == 2
    assert f"{file}:2: warning: +19005550111 is a premium number" in shell.run("number", "import", str(file)).err
    with shell.config.open("a") as configuration:
        configuration.write('[policy.callers]\nallocated = ["+1333"]\n')
    assert shell.run("number", "add", "+13335550100", "--account", "acme").code == 0


def test_numbers_from_before(shell: Shell) -> None:
    """What the registry holds that no call may show is found, rule by rule; nothing found is exit code 0."""
    assert shell.run("number", "check") == (0, "", "every number may be shown\n")
    assert shell.run("number", "add", "+19005550100", "--account", "acme").code == 0
    assert shell.run("number", "add", "+14155550100", "--account", "acme").code == 0
    with shell.config.open("a") as configuration:
        configuration.write('[policy.callers]\nallocated = ["+1333"]\n')
    assert shell.run("number", "add", "+1333555XXXX", "--account", "acme").code == 0
    shell.config.write_text(shell.config.read_text().partition("[policy.callers]")[0])
    outcome = shell.run("number", "check", "--json")
    assert outcome.code == 1
    assert [(row["number"], row["rule"]) for row in json.loads(outcome.out)] == [
        ("+1333555XXXX", "caller-id.unallocated"), ("+19005550100", "caller-id.premium"),
    ]  # fmt: skip
    assert shell.run("number", "check", "--account", "nobody").code == 0


def test_trunks(shell: Shell) -> None:
    """Trunks of the file and of the registry are listed together; only the latter are changed here."""
    shell.run("trunk", "add", "branch", "--side", "customer", "--account", "acme", "--source", "203.0.113.9",
              "--on-mismatch", "downgrade", "--behind-nat")  # fmt: skip
    assert [trunk["name"] for trunk in shell.data("trunk", "list") if trunk.get("behind_nat")] == ["branch"]
    kept = {trunk["name"]: (trunk["kept_in"], trunk["on_mismatch"]) for trunk in shell.data("trunk", "list")}
    assert kept == {
        "acme-pbx": ("configuration", "reject"),
        "carrier-a": ("configuration", "reject"),
        "branch": ("registry", "downgrade"),
    }
    assert (
        "sources: a customer trunk needs"
        in shell.run("trunk", "add", "x", "--side", "customer", "--account", "acme").err
    )
    assert shell.run("trunk", "remove", "acme-pbx").code == 1
    assert shell.run("trunk", "remove", "branch").code == 0


def test_a_trunk_that_may_forward(shell: Shell) -> None:
    """What lets its forwarded calls pass is kept, and is no choice for a carrier."""
    options = ("--side", "customer", "--account", "acme", "--source", "203.0.113.9", "--forwarding", "delivered")
    assert shell.run("trunk", "add", "branch", *options).code == 0
    (kept,) = [trunk for trunk in shell.data("trunk", "list") if trunk["name"] == "branch"]
    assert kept["forwarding"] == "delivered"
    shown = shell.data("explain", "account", "acme")
    assert {trunk["name"]: trunk["forwarding"] for trunk in shown["trunks"]} == {
        "acme-pbx": "refuse",
        "branch": "delivered",
    }
    carrier = ("--side", "network", "--target", "sip:192.0.2.30", "--forwarding", "trust")
    assert "forwarding: is for trunks of customers" in shell.run("trunk", "add", "carrier-c", *carrier).err


def test_a_tls_trunk(shell: Shell, tmp_path: Path) -> None:
    """Its names and authorities are kept, a file by its whole path; without a TLS listener the check says so."""
    ca = str(tmp_path / "ca.pem")
    shell.run("trunk", "add", "secure", "--side", "network", "--target", "sips:sip.example",
              "--tls-name", "SIP.example", "--tls-ca", ca)  # fmt: skip
    (kept,) = [trunk for trunk in shell.data("trunk", "list") if trunk["name"] == "secure"]
    assert (kept["tls_names"], kept["tls_ca"]) == (["sip.example"], ca)
    assert "no tls listener can send" in shell.run("check").err


def test_a_trunk_with_timers_of_its_own(shell: Shell) -> None:
    """How long its targets may be silent and ring, and whether it may redirect; what contradicts itself is refused."""
    options = ("trunk", "add", "slow", "--side", "network", "--target", "sip:192.0.2.30", "--response-timeout", "3")
    shell.run(*options, "--ring-timeout", "40.5", "--follow-redirects")
    (kept,) = [trunk for trunk in shell.data("trunk", "list") if trunk["name"] == "slow"]
    assert (kept["response_timeout"], kept["ring_timeout"], kept["follow_redirects"]) == (3.0, 40.5, True)
    assert "ring_timeout: should exceed response_timeout" in shell.run(*options, "--ring-timeout", "2").err


def test_a_trunk_with_limits(shell: Shell) -> None:
    """What it may bring and take away is kept; what was not given is no limit of its own."""
    shell.run("trunk", "add", "limited", "--side", "network", "--target", "sip:192.0.2.30", "--max-calls", "30",
              "--max-rate", "2.5", "--egress-max-calls", "60")  # fmt: skip
    (kept,) = [trunk for trunk in shell.data("trunk", "list") if trunk["name"] == "limited"]
    assert kept["limit"] == {"rate": 2.5, "burst": 0, "concurrent": 30}
    assert kept["egress_limit"] == {"rate": 0.0, "burst": 0, "concurrent": 60}
    others = [trunk for trunk in shell.data("trunk", "list") if trunk["name"] != "limited"]
    assert {(trunk["limit"], trunk["egress_limit"]) for trunk in others} == {(None, None)}
    assert "greater than or equal to 0" in shell.run("trunk", "add", "x", "--side", "network", "--max-calls", "-1").err


def test_a_trunk_of_a_carrier_that_asks_for_credentials(shell: Shell, tmp_path: Path) -> None:
    """User name, realm and the whole path of the password's file are kept; the password itself is not."""
    file = tmp_path / "password"
    shell.run("trunk", "add", "asking", "--side", "network", "--target", "sip:192.0.2.30", "--username", "edge-1",
              "--password-file", str(file), "--realm", "carrier.example")  # fmt: skip
    (kept,) = [trunk for trunk in shell.data("trunk", "list") if trunk["name"] == "asking"]
    assert (kept["username"], kept["password_file"], kept["realm"]) == ("edge-1", str(file), "carrier.example")
    assert "trunk.asking.password_file" in shell.run("check").err


def test_emergency(shell: Shell, tmp_path: Path) -> None:
    """Registrations are added, listed, imported and ended."""
    shell.run("emergency", "add", "4155550100", "--account", "acme", "--location", "1 Main St")
    assert shell.data("emergency", "list")[0]["location"] == "1 Main St"
    file = tmp_path / "emergency.csv"
    file.write_text("number,account,country,status\n4155550111,acme,US,pending\n")
    assert shell.run("emergency", "import", str(file)).code == 0
    assert shell.run("emergency", "remove", "4155550100").code == 0
    assert [entry["number"] for entry in shell.data("emergency", "list")] == ["+14155550111"]
    assert shell.run("emergency", "add", "4155550100", "--account", "acme", "--status", "lost").code == 2


def test_the_life_of_an_emergency_registration(shell: Shell, tmp_path: Path) -> None:
    """A registration is changed by its status, paid and address, shown, exported and read back the same."""
    shell.run("emergency", "add", "4155550100", "--account", "acme", "--status", "pending", "--unpaid")
    assert shell.data("emergency", "show", "4155550100")["activated_at"] is None
    said = ("--status", "registered", "--paid", "--location", "1 Main St", "--unit", "Floor 2")
    shell.run("emergency", "set", "4155550100", *said, "--callback", "4155550111", "--activated", "2026-01-01")
    shown = shell.data("emergency", "show", "4155550100")
    assert shown["paid"] is True
    assert (shown["unit"], shown["callback"], shown["activated_at"]) == (
        "Floor 2", "+14155550111", "2026-01-01T00:00:00Z"
    )  # fmt: skip
    assert (shown["last_test"], shown["last_call"]) == (None, None)
    file = tmp_path / "emergency.csv"
    before = shell.data("emergency", "list")
    assert shell.run("emergency", "export", str(file)).code == 0
    assert shell.run("emergency", "remove", "4155550100").code == 0
    assert shell.run("emergency", "import", str(file)).code == 0
    assert shell.data("emergency", "list") == before
    assert shell.run("emergency", "set", "4155550100").code == 2
    assert shell.run("emergency", "set", "4155550199", "--unpaid").code == 1
    assert shell.run("emergency", "set", "4155550100", "--unit", "x" * 65).code == 2
    assert shell.run("emergency", "show", "4155550199").code == 1


def test_lists(shell: Shell, tmp_path: Path) -> None:
    """Patterns are added, imported, listed up to a limit, and removed."""
    shell.run("list", "add", "999XXXXXXX", "--source", "irs")
    file = tmp_path / "dno.csv"
    file.write_text("pattern\n8008291040\n")
    assert shell.run("list", "import", str(file)).code == 0
    assert [entry["pattern"] for entry in shell.data("list", "list")] == ["18008291040", "1999XXXXXXX"]
    assert "2 entries in all" in shell.run("list", "list", "--limit", "1").err
    assert shell.run("list", "remove", "999XXXXXXX").code == 0
    assert shell.run("list", "add", "8X8").code == 2


def test_policy(tmp_path: Path) -> None:
    """The table shows every rule in order, with the mode in force beside the default."""
    shell = Shell(tmp_path, CONFIGURATION + '[policy]\nrevision = "r7"\nrules."robodial.tag".mode = "tag"\n')
    rules = shell.data("policy", "show")
    assert [rule["rule"] for rule in rules] == [rule.name for rule in TABLE]
    robodial = next(rule for rule in rules if rule["rule"] == "robodial.tag")
    assert (robodial["mode"], robodial["default"], robodial["revision"]) == ("tag", "report", "r7")


def test_the_history_of_a_number(shell: Shell, tmp_path: Path) -> None:
    """``audit --number`` says who gave a number to whom and when, also by a file, and can be narrowed down."""
    rows = tmp_path / "numbers.csv"
    rows.write_text("number,account,kind\n+14155550177,acme,owned\n")
    assert shell.run("number", "import", str(rows)).code == 0
    assert shell.run("number", "remove", "+14155550177").code == 0
    removed, given = shell.data("audit", "--number", "(415) 555-0177")
    assert (removed["what"], given["what"]) == ("number.remove", "number.import")
    assert (given["subject"], given["after"]["account"], given["after"]["file"]) == (
        "14155550177", "acme", "numbers.csv",
    )  # fmt: skip
    assert shell.data("audit", "--number", "+14155550177", "--what", "number.remove") == [removed]
    assert shell.data("audit", "--number", "+14155550177", "--who", "nobody") == []
    assert shell.data("audit", "--number", "+14155550177", "--since", "1h", "--limit", "1") == [removed]
    assert shell.run("audit", "--number", "911").code == 2


def test_the_audit_shows_nought_and_no(shell: Shell) -> None:
    """A limit that is taken off altogether (0) does not look like one that was never set, nor unpaid like unsaid."""
    shell.run("account", "set", "acme", "--max-calls", "0")
    assert "\tmax_calls=0\n" in shell.run("audit", "--subject", "acme", "--limit", "1").out
    shell.run("emergency", "add", "+14155550100", "--account", "acme", "--unpaid")
    shell.run("list", "add", "+14155550123", "--expires", "2030-01-31")
    assert shell.run("audit", "--limit", "1").out.endswith(" expires=2030-01-31T00:00:00Z\n")
    assert " paid=false" in shell.run("audit", "--what", "emergency", "--limit", "1").out
