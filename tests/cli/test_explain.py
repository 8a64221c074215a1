"""``sipguard explain``: of a message, of an account, of a number."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sipguard.ledger.log import AttestationLog
from tests.cli.kit import CONFIGURATION, Shell
from tests.ledger.kit import record

RULES = """
[policy]
revision = "r-7"
rules."robodial.tag".mode = "tag"
rules."caller-id.not-owned".exceptions = { "account:reseller" = "report", "trunk:acme-pbx" = "block" }
rules."caller-id.do-not-originate".exceptions = { "number:+14155550100" = "report" }
"""
INVITE = (
    "INVITE sip:+12125550123@x SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK1\n"
    "From: <sip:+14155550100@x>;tag=1\nTo: <sip:+12125550123@x>\nCall-ID: 1\nCSeq: 1 INVITE\n"
    "Contact: <sip:x@203.0.113.5>\nMax-Forwards: 70\nContent-Length: 0\n\n"
)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Reseller over acme over acme/sales; numbers of each kind, and a number that must never call."""
    shell = Shell(tmp_path, CONFIGURATION + RULES)
    for arguments in (
        ("account", "add", "reseller", "--kind", "reseller", "--attest-cap", "B", "--emergency-unprovisioned", "route"),
        ("account", "add", "acme", "--parent", "reseller"),
        ("account", "add", "acme/sales", "--kind", "end_user", "--parent", "acme"),
        ("account", "add", "globex"),
        ("number", "add", "+14155550100", "--account", "acme"),
        ("number", "add", "+1415555XXXX", "--account", "reseller", "--kind", "delegated"),
        ("number", "add", "+14155550100", "--account", "globex", "--kind", "verified", "--expires", "2020-01-01"),
        ("number", "add", "+14155550111", "--account", "acme", "--kind", "verified"),
        ("emergency", "add", "+14155550100", "--account", "acme", "--location", "1 Main St"),
        ("list", "add", "+1415555019X", "--source", "test"),
    ):
        assert shell.run(*arguments).code == 0, arguments
    return shell


def logged(directory: Path, *calls: list[dict[str, Any]]) -> None:
    """A log of these calls, each a decision and what followed; ``ago`` is how many seconds ago."""
    with AttestationLog.open(directory / "var" / "attestation", "edge-1") as log:
        for number, events in enumerate(calls):
            log.append([record(number, **(event | {"at": moment(event["ago"])})) for event in events])


def moment(ago: float) -> str:
    """A time stamp so many seconds ago."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decided(ago: float, **more: Any) -> dict[str, Any]:
    """A decision record about a call of acme."""
    calling = {"effective": "14155550100"}
    return {"ago": ago, "account": "acme", "method": "INVITE", "decision": "forward", "calling": calling} | more


def test_a_message(shell: Shell, tmp_path: Path) -> None:
    """The old form stays: a file, its trunk by the Via; exit code 1 where the call would be refused."""
    file = tmp_path / "invite.sip"
    file.write_text(INVITE)
    shown = shell.run("explain", str(file))
    assert (shown.code, "under revision r-7" in shown.out) == (0, True)
    assert shell.data("explain", str(file), "--from", "acme-pbx")["record"]["attest"] == "B"
    shell.run("account", "suspend", "reseller")
    assert shell.run("explain", str(file)).code == 1


def test_a_forwarded_call(shell: Shell, tmp_path: Path) -> None:
    """The trail says what licensed a caller that is not the account's, or the detail what lacks."""
    (tmp_path / "invite.sip").write_text(
        INVITE.replace("From: <sip:+14155550100@x>", "Diversion: <sip:+14155550100@x>\nFrom: <sip:+13125550777@x>")
    )
    own = shell.config.read_text()
    for forwarding, code, said in (
        ("refuse", 1, "not assigned to account acme"),
        ("passport", 1, "no Identity shows that it called +14155550100 (missing)"),
        ("trust", 0, "pass no-right forwarded-by 14155550100 trust"),
    ):
        shell.config.write_text(own.replace('account = "acme"', f'account = "acme"\nforwarding = "{forwarding}"'))
        shown = shell.run("explain", str(tmp_path / "invite.sip"), "--from", "acme-pbx")
        assert (shown.code, said in " ".join(shown.out.split())) == (code, True), shown.out


def test_a_message_of_a_tagged_account(shell: Shell, tmp_path: Path) -> None:
    """The tags that the node wrote down count."""
    (tmp_path / "invite.sip").write_text(INVITE)
    tagged(tmp_path)
    assert shell.data("explain", str(tmp_path / "invite.sip"))["record"]["tags"] == ["short-calls"]


def tagged(directory: Path) -> None:
    """The node knows acme as a robo-dialer."""
    tag = {"account": "acme", "points": 4.0, "reasons": ["short-calls"], "features": {"short_share": 0.5}}
    (directory / "var" / "tags.json").write_text(json.dumps([tag]))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("account", "nobody"), 1),
        (("account",), 2),
        (("number",), 2),
        (("trunk", "acme-pbx"), 2),
        (("account", "acme", "--from", "acme-pbx"), 2),
        (("number", "12"), 2),
        (("number", "+1415555XXXX"), 2),
        (("number", "+14155550100", "--from", "nowhere"), 1),
        (("number", "+12125550199"), 1),
        (("missing.sip",), 1),
    ],
)
def test_exit_codes(shell: Shell, arguments: tuple[str, ...], code: int) -> None:
    """1 for what is not there, 2 for what cannot be meant."""
    assert shell.run("explain", *arguments).code == code


def test_an_account(shell: Shell) -> None:
    """Its place, what is imposed on it and by whom, what it has, and under which revisions."""
    shell.run("account", "set", "reseller", "--state", "restricted")
    facts = shell.data("explain", "account", "acme/sales")
    assert facts["path"] == ["reseller", "acme", "acme/sales"]
    state = facts["state"]
    assert (state["own"], state["in_force"], state["imposed_by"]) == ("active", "restricted", "reseller")
    assert facts["attestation"] == {"cap": "B", "imposed_by": "reseller"}
    assert facts["emergency"] == {
        "unprovisioned": "route", "by_country": {}, "set_by": "reseller", "registrations": {},
    }  # fmt: skip
    assert facts["revision"] == {"policy": "r-7", "registry": 11}
    facts = shell.data("explain", "account", "acme")
    assert facts["numbers"] == {"count": {"owned": 1, "verified": 1}, "first": ["+14155550100", "+14155550111"]}
    assert facts["emergency"]["registrations"] == {"registered": 1}
    assert [trunk["name"] for trunk in facts["trunks"]] == ["acme-pbx"]
    assert facts["certificate"] == [
        {"name": "default", "used": None, "set_by": "its trunks", "signs_now": False, "expires": None}
    ]
    assert [(entry["what"], entry["after"]["name"]) for entry in facts["audit"]] == [("account.add", "acme")]


def test_the_limits_of_an_account(shell: Shell) -> None:
    """Its own, or those of every account; its trunks have theirs; what calls of a number get is not about them."""
    shell.config.write_text(
        shell.config.read_text().replace('sources = ["203.0.113.5"]', 'sources = ["203.0.113.5"]\nlimit.rate = 7')
        + "[limits.calls]\naccount.rate = 5\nnumber.concurrent = 1\naccounts.acme = { concurrent = 30 }\n"
        '[[trunk]]\nname = "other"\nside = "customer"\naccount = "acme"\nsources = ["203.0.113.6"]\n'
    )
    facts = shell.data("explain", "account", "acme")
    assert facts["limits"] == [
        {"of": "acme", "counts": "its calls and those below it", "rate": 0.0, "burst": 0, "concurrent": 30,
         "set_in": "configuration", "up": 0},
    ]  # fmt: skip
    assert facts["trunks"][0]["limit"]["rate"] == 7.0
    [other] = shell.data("explain", "account", "globex")["limits"]
    assert (other["rate"], other["counts"], other["up"]) == (5.0, "its calls", 0)
    assert other["set_in"] == "configuration, for every account"
    calls = shell.data("explain", "number", "+14155550100")["calls_from_it"]
    assert [call["decision"] for call in calls] == ["forward", "forward"]


def test_what_is_used_of_the_limits(shell: Shell, tmp_path: Path) -> None:
    """The nearest limit first, from where it is, and the calls that the log knows no end of, those below included."""
    shell.config.write_text(shell.config.read_text() + "[limits.calls]\naccounts.reseller = { concurrent = 30 }\n")
    shell.run("account", "set", "acme", "--max-rate", "2.5", "--max-burst", "4", "--max-calls", "9")
    shell.run("account", "restrict", "reseller")
    up = {"direction": "origination"}
    logged(
        tmp_path,
        [decided(50, **up)],
        [decided(40, **up, end_user="acme/sales"), {"ago": 39, "event": "answer", "code": 200}],
        [decided(30, **up), {"ago": 29, "event": "end", "code": 200, "answered": True}],
        [decided(20, **up, account="reseller", end_user="acme/sales")],
        [decided(10, **up, emergency="911")],
        [decided(9, **up, decision="refuse")],
        [decided(8, direction="termination")],
    )
    mine, above = shell.data("explain", "account", "acme")["limits"]
    assert mine == {"of": "acme", "counts": "its calls and those below it", "rate": 2.5, "burst": 4, "concurrent": 9,
                    "set_in": "registry", "up": 3}  # fmt: skip
    assert (above["of"], above["rate"], above["concurrent"]) == ("reseller", 1.0, 10)
    assert (above["set_in"], above["up"]) == ("configuration and restricted", 3)
    own, *_ = shell.data("explain", "account", "acme/sales")["limits"]
    assert (own["counts"], own["up"]) == ("its calls", 0)
    shell.run("account", "set", "acme/sales", "--max-calls", "1")
    assert shell.data("explain", "account", "acme/sales")["limits"][0]["up"] == 2


def test_the_rules_of_an_account(shell: Shell) -> None:
    """Every rule for its calls with the mode in force and by whose word; exceptions of its trunks and numbers."""
    facts = shell.data("explain", "account", "acme")
    rules = {rule["rule"]: (rule["mode"], rule["by"]) for rule in facts["rules"]}
    assert rules["caller-id.not-owned"] == ("report", "account:reseller")
    assert rules["robodial.tag"] == ("tag", "policy")
    assert rules["account.suspended"] == ("block", "default")
    assert not any(rule.startswith("stir.") for rule in rules)
    assert facts["exceptions"] == [
        {"for": "trunk:acme-pbx", "rule": "caller-id.not-owned", "mode": "block"},
        {"for": "number:+14155550100", "rule": "caller-id.do-not-originate", "mode": "report"},
    ]
    other = shell.data("explain", "account", "globex")
    assert {rule["rule"]: rule["by"] for rule in other["rules"]}["caller-id.not-owned"] == "default"
    assert other["exceptions"] == []


def test_the_traffic_of_an_account(shell: Shell, tmp_path: Path) -> None:
    """The tag the node wrote down; the last hour of the log, scored as the node would, calls for help apart; a day."""
    tagged(tmp_path)
    old = [decided(100_000, decision="refuse", rule="account.suspended")]
    refused = [decided(7200, decision="refuse", rule="caller-id.not-owned", code=403, detail="From +1 is not")]
    other = [decided(60, account="globex", reported=["limit.hugging"])]
    short = [
        [decided(2000 - n, attest="A", tags=["short-calls"]), {"event": "answer", "ago": 1990 - n},
         {"event": "end", "ago": 1988 - n, "answered": True, "duration": 2.0, "code": 200, "released_by": "caller"}]
        for n in range(200)
    ]  # fmt: skip
    given_up = [decided(50), {"event": "end", "ago": 40, "answered": False, "code": 487, "released_by": "caller"}]
    wrong = [
        decided(30, reported=["limit.hugging"]),
        {"event": "end", "ago": 29, "answered": False, "code": 404, "released_by": "network"},
    ]
    help_ = [decided(25, emergency="911"), {"event": "end", "ago": 20, "answered": False, "code": 404}]
    logged(tmp_path, old, refused, other, *short, given_up, wrong, help_)
    facts = shell.data("explain", "account", "acme")
    traffic = facts["traffic"]
    assert (traffic["tagged"], traffic["points"], traffic["reasons"]) == (True, 4.0, ["short-calls"])
    assert traffic["features"] == {"short_share": 0.5}
    assert traffic["at_its_limit_24h"] == 1
    hour = traffic["last_hour"]
    assert hour["reasons"][:2] == ["short-calls", "low-duration"]
    assert {name: hour["features"][name] for name in ("attempts", "answered", "ended", "average_duration")} == {
        "attempts": 202.0, "answered": 200.0, "ended": 200.0, "average_duration": 2.0,
    }  # fmt: skip
    assert (hour["features"]["abandoned_share"], hour["features"]["invalid_share"]) == (0.005, 0.005)
    day = facts["last_24h"]
    assert (day["calls"], day["all_read"]) == (204, True)
    assert day["decisions"] == {"forward": 203, "refuse": 1}
    assert (day["attestations"], day["tags"]) == ({"A": 200}, {"short-calls": 200})
    assert day["refused_by"] == {"caller-id.not-owned": 1}
    assert [(call["rule"], call["code"], call["calling"]) for call in facts["last_refusals"]] == [
        ("caller-id.not-owned", 403, "14155550100")
    ]


def test_a_log_too_long_is_not_read_to_its_end(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many records are read, and it is said that there were more."""
    monkeypatch.setattr("sipguard.cli.recent_calls.MOST_RECORDS", 2)
    logged(tmp_path, [decided(9)], [decided(8)], [decided(7)])
    day = shell.data("explain", "account", "acme")["last_24h"]
    assert (day["calls"], day["all_read"]) == (2, False)


def test_a_number(shell: Shell, tmp_path: Path) -> None:
    """Who has a right to it, alone and by a block, in force or not; who uses whose by the tree; where calls go."""
    logged(tmp_path, [decided(60)], [decided(50, calling={"effective": "14155550111"})])
    facts = shell.data("explain", "number", "(415) 555-0100")
    assert facts["number"] == "+14155550100"
    rights = {(right["for"], right["account"], right["kind"], right["in_force"]) for right in facts["rights"]}
    assert rights == {
        ("number", "acme", "owned", True),
        ("number", "globex", "verified", False),
        ("block", "reseller", "delegated", True),
    }
    assert facts["rights"][-1]["pattern"] == "+1415555XXXX"
    assert {(user["account"], user["right"], user["held_by"]) for user in facts["used_by"]} == {
        ("acme", "owned", "acme"),
        ("acme/sales", "owned", "acme"),
        ("reseller", "delegated", "reseller"),
    }
    assert (facts["emergency"]["location"], facts["emergency"]["in_force"]) == ("1 Main St", True)
    assert facts["do_not_originate"] == []
    assert facts["calls_to_it"] == {"account": "acme", "answer": "480 by destination.no-route"}
    assert [(call["calling"], call["decision"]) for call in facts["last_calls"]] == [("14155550100", "forward")]
    assert [entry["what"] for entry in facts["audit"]] == ["emergency.add", "number.add", "number.add", "number.add"]


@pytest.mark.parametrize(
    ("number", "before", "expected"),
    [
        ("+14155550100", (), ("forward", "B", "capped", None)),
        ("+14155550100", ("account", "set", "reseller", "--attest-cap", "none"), ("forward", "A", "owned", None)),
        ("+14155550111", ("account", "set", "reseller", "--attest-cap", "none"), ("forward", "B", "verified", None)),
        ("+14155550199", (), ("refuse", None, None, "caller-id.do-not-originate")),
        ("+14155550100", ("account", "suspend", "reseller"), ("refuse", None, None, "account.suspended")),
    ],
)
def test_what_a_call_from_a_number_would_get(
    shell: Shell, number: str, before: tuple[str, ...], expected: tuple[str | None, ...]
) -> None:
    """Each trunk of an account that may use it: decision, attestation and why, or the rule that refuses."""
    if before:
        assert shell.run(*before).code == 0
    [call] = shell.data("explain", "number", number)["calls_from_it"]
    decision, attest, why, rule = expected
    assert (call["trunk"], call["decision"], call["attest"], call["rule"]) == ("acme-pbx", decision, attest, rule)
    assert why is None or call["why"] == why


def test_a_number_by_a_trunk_without_a_right(shell: Shell) -> None:
    """A trunk is named to hear why its calls from the number fail."""
    shell.run("number", "add", "+12125550150", "--account", "globex")
    assert shell.data("explain", "number", "+12125550150")["calls_from_it"] == []
    [call] = shell.data("explain", "number", "+12125550150", "--from", "acme-pbx")["calls_from_it"]
    assert (call["decision"], call["rule"]) == ("refuse", "caller-id.not-owned")
    assert call["why"] == "From +12125550150 is not assigned to account acme"


def test_where_a_number_may_call_is_left_out(shell: Shell) -> None:
    """Calls of an account that may call Canada alone are explained by their caller; the account says where to."""
    shell.run("account", "set", "reseller", "--countries", "CA")
    assert shell.data("explain", "number", "+14155550100")["calls_from_it"][0]["decision"] == "forward"
    assert shell.data("explain", "account", "acme")["countries"] == {"may_call": ["CA"], "set_by": "reseller"}
    assert shell.data("explain", "account", "globex")["countries"]["set_by"] == "its trunks"


def test_a_number_that_never_calls(shell: Shell) -> None:
    """Every do-not-originate entry it matches."""
    [entry] = shell.data("explain", "number", "+14155550199")["do_not_originate"]
    assert entry == {"pattern": "+1415555019X", "source": "test", "expires": None, "in_force": True}


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("account", "acme"), ("in force", "imposed by", "caller-id.not-owned", "tagged from")),
        (("number", "+14155550100"), ("account=reseller", "calls from it", "attest=B", "location")),
    ],
)
def test_for_people(shell: Shell, words: tuple[str, ...], lines: tuple[str, ...]) -> None:
    """A line per fact; what is empty is left out."""
    out = shell.run("explain", *words).out
    assert [line for line in lines if line not in out] == []
    assert "do not originate" not in out


@pytest.mark.clause("policy: destinations")
def test_where_an_account_called(shell: Shell, tmp_path: Path) -> None:
    """The figures in force, and the busiest numbers and places of the last hour; not what was refused,
    or only asked for credentials.
    """
    shell.config.write_text(
        shell.config.read_text()
        + "[policy.destinations]\nvelocity.accounts.reseller.abroad.hour = 7\n"
        + 'max_duration.GN = 600\n[limits.calls.destinations]\n"+2247" = { concurrent = 3 }\n'
    )
    calls = [decided(ago, trunk="acme-pbx", called={"request_uri": tn}) for ago, tn in (
        (7000, "224712345678"), (1000, "224712345678"), (800, "224712345678"), (100, "224799999999"),
        (60, "447700900123"),
    )]  # fmt: skip
    calls.append(decided(50, trunk="acme-pbx", called={"request_uri": "224712345678"}, decision="refuse"))
    calls.append(decided(40, trunk="acme-pbx", called={"request_uri": "911"}, emergency="911"))
    asked = [
        decided(30, trunk="acme-pbx", called={"request_uri": "447700900123"}),
        {"ago": 29, "event": "end", "code": 407},
    ]
    logged(tmp_path, *([call] for call in calls), asked)
    facts = shell.data("explain", "account", "acme")["destinations"]
    assert facts["velocity"] == {
        "home": {"number": 50, "five_minutes": 0, "hour": 0},
        "abroad": {"number": 20, "five_minutes": 100, "hour": 7},
        "high-risk": {"number": 5, "five_minutes": 10, "hour": 30},
    }
    assert facts["limits"]["+2247"]["account"]["concurrent"] == 3
    assert facts["max_duration"] == {"GN": 600.0}
    assert facts["places"] == [
        {"place": "GN", "last_5_minutes": 1, "last_hour": 3},
        {"place": "GB", "last_5_minutes": 1, "last_hour": 1},
    ]
    assert {(row["number"], row["place"], row["last_15_minutes"]) for row in facts["numbers"]} == {
        ("+224712345678", "GN", 1), ("+224799999999", "GN", 1), ("+447700900123", "GB", 1),
    }  # fmt: skip
