"""``sipguard passport sign --ppt``: what it signs, ``verify`` accepts, and options of another type are refused."""

import json
from pathlib import Path

import pytest

from tests.cli.kit import Outcome
from tests.cli.test_passport import DEST, INVITE, NETWORK, ORIG, Desk, run, tampered

NEXT = "+13125550177"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A new desk."""
    return Desk(tmp_path)


def signed(desk: Desk, ppt: str, *words: str, dest: str = DEST) -> str:
    """The header field rows for the usual numbers."""
    outcome = desk.sign("--ppt", ppt, "--orig", ORIG, "--dest", dest, *words)
    assert (outcome.code, outcome.err) == (0, ""), outcome
    return outcome.out.rstrip("\n")


def verified(desk: Desk, rows: str, called: str = DEST, *, uri: str | None = None) -> Outcome:
    """``passport verify`` of a message with these rows; priorities may be authorised by the desk's certificate."""
    message = INVITE.format(calling=ORIG, called=called, identity=rows)
    if uri is not None:
        message = message.replace(f"INVITE sip:{called}@", f"INVITE sip:{uri}@")
    config = desk.directory / "sipguard.toml"
    authorities = 'priority_authorities = { ets = ["1234"], esnet = ["1234"] }'
    config.write_text(f'{NETWORK}[stir.verify]\nanchors = "anchors.pem"\n{authorities}\n')
    words = ("--certificate", desk.file("leaf.pem"), "--config", str(config), "--json")
    return run("passport", "verify", "-", *words, stdin=message)


def results(outcome: Outcome) -> list[tuple[str | None, str | None]]:
    """Type and reason of each header."""
    return [(header["ppt"], header["reason"]) for header in json.loads(outcome.out)["headers"]]


@pytest.mark.clause("PPT-03", "PPT-09", "RFC 8225 5")
def test_a_base_passport(desk: Desk) -> None:
    """No ppt, only the base claims; it verifies, and not with a character changed."""
    row = signed(desk, "base")
    assert ";ppt" not in row
    assert results(verified(desk, row)) == [(None, None)]
    assert verified(desk, tampered(row, 2)).code == 1


@pytest.mark.clause("PPT-08", "AS-06", "RFC 8225 7")
def test_a_compact_base_passport(desk: Desk) -> None:
    """Only a signature, and the Date that its iat is read from; with another Date it does not verify."""
    rows = signed(desk, "base", "--compact")
    date, identity = rows.split("\n")
    assert date.startswith("Date: ")
    assert identity.startswith("Identity: ..")
    assert verified(desk, rows).code == 0
    iat = json.loads(desk.sign("--orig", ORIG, "--dest", DEST, "--json").out)["claims"]["iat"]
    other = signed(desk, "base", "--compact", "--iat", str(iat - 7)).split("\n")[0]
    assert verified(desk, f"{other}\n{identity}").code == 1
    told = json.loads(desk.sign("--ppt", "base", "--compact", "--orig", ORIG, "--dest", DEST, "--json").out)
    assert (told["form"], told["date"][:4]) == ("compact", date[6:10])


@pytest.mark.clause("RPH-01", "RPH-05", "RPH-09")
def test_a_priority(desk: Desk) -> None:
    """The values sorted; with Resource-Priority it verifies as authorised. A call-back is one only with esnet."""
    priority = "Resource-Priority: ets.0, wps.1\n"
    row = signed(desk, "rph", "--auth", "wps.1", "--auth", "ets.0")
    claims = json.loads(run("passport", "decode", row, "--json").out)[0]["claims"]
    assert claims["rph"] == {"auth": ["ets.0", "wps.1"]}
    one = signed(desk, "rph", "--auth", "ets.0")
    outcome = verified(desk, f"Resource-Priority: ets.0\n{one}")
    assert results(outcome) == [("rph", None)]
    assert json.loads(outcome.out)["priority"] == "RPH-Validation-Passed"
    assert json.loads(verified(desk, priority + row).out)["priority"] == "RPH-Validation-Failed"  # wps is nobody's here
    back = "Resource-Priority: esnet.1\nPriority: psap-callback\n"
    call = signed(desk, "rph", "--auth", "esnet.1", "--callback")
    assert results(verified(desk, back + call)) == [("rph", None)]
    refused = desk.sign("--ppt", "rph", "--orig", ORIG, "--dest", DEST, "--auth", "ets.0", "--callback")
    assert (refused.code, refused.err) == (1, "sipguard: a call-back needs an emergency priority\n")


@pytest.mark.clause("RPH-04", "RFC 9027 3")
def test_an_emergency_service_is_called_by_its_urn(desk: Desk) -> None:
    """--dest takes a URI, for SHAKEN too."""
    for words in (("shaken",), ("rph", "--auth", "esnet.1")):
        row = signed(desk, *words, dest="urn:service:sos")
        claims = json.loads(run("passport", "decode", row, "--json").out)[0]["claims"]
        assert claims["dest"] == {"uri": ["urn:service:sos"]}


@pytest.mark.clause("RCD-01", "RCD-02", "RCD-04")
def test_rich_call_data(desk: Desk) -> None:
    """A name alone, or everything of a file with the octets behind its URLs; digests and reason are there."""
    row = signed(desk, "rcd", "--nam", "Zoë & Co", "--crn", "Your order")
    assert results(verified(desk, row)) == [("rcd", None)]
    file, icon = desk.directory / "rich.json", desk.directory / "logo.png"
    icon.write_bytes(b"PNG")
    card = ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Example Ltd"]]]
    file.write_text(json.dumps({"nam": "Example Ltd", "icn": "https://brand.example/logo.png", "jcd": card}))
    whole = signed(desk, "rcd", "--rcd", str(file), "--linked", f"/icn={icon}")
    claims = json.loads(run("passport", "decode", whole, "--json").out)[0]["claims"]
    assert claims["rcdi"].keys() == {"/icn", "/jcd", "/nam"}
    assert results(verified(desk, whole)) == [("rcd", None)]
    file.write_text('{"nam":"a","nam":"b"}')
    assert desk.sign("--ppt", "rcd", "--orig", ORIG, "--dest", DEST, "--rcd", str(file)).code == 1


@pytest.mark.clause("DIV-03", "DIV-06", "DIV-07")
def test_a_diversion(desk: Desk) -> None:
    """A call to one number, diverted to the next: both PASSporTs together verify at the new one, the first does not."""
    first = signed(desk, "shaken", "--attest", "A")
    diversion = signed(desk, "div", "--div", DEST, "--hi", "1.1", dest=NEXT)
    outcome = verified(desk, f"{diversion}\n{first}", uri=NEXT)
    assert results(outcome) == [("div", None), ("shaken", None)]
    assert json.loads(run("passport", "decode", diversion, "--json").out)[0]["claims"]["div"] == {
        "hi": "1.1", "tn": DEST[1:],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ppt", "rcd"), "--ppt rcd needs --nam or --rcd"),
        (("--ppt", "rcd", "--nam", "A", "--rcd", "x.json"), "and not both"),
        (("--ppt", "rcd", "--nam", "A", "--linked", "icn"), "is not a pointer and a file"),
        (("--ppt", "rph"), "--ppt rph needs --auth"),
        (("--ppt", "div"), "--ppt div needs --div"),
        (("--ppt", "base", "--attest", "A"), "--attest is for --ppt shaken"),
        (("--compact",), "--compact is for --ppt base"),
        (("--nam", "A"), "--nam is for --ppt rcd"),
        (("--ppt", "div-o",), "'div'"),
    ],
)  # fmt: skip
def test_options_of_other_types_are_usage_errors(desk: Desk, words: tuple[str, ...], said: str) -> None:
    """What would change nothing is refused, and what is missing is named; SHAKEN signs numbers only."""
    outcome = desk.sign("--orig", ORIG, "--dest", DEST, *words)
    assert outcome.code == 2
    assert said in " ".join(outcome.err.replace("│", " ").split())
    assert desk.sign("--orig", "sip:alice@example.com", "--dest", DEST).code == 2
