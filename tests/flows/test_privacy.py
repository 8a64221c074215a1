"""Privacy (RFC 3323): what is offered where a call leaves the trust domain, and what is said about what is not."""

import pytest

from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.sip.message import Request
from sipguard.testing.sample import ACME_PBX, CARRIER_A, OWNED, PROXY, RESCUE, changed
from tests.flows.stage import Stage

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=caller-tag'
PAI = f"P-Asserted-Identity: <sip:+{OWNED}@192.0.2.11;user=phone>"
OF_THE_USER = (
    "Subject: me", "Organization: mine", "Reply-To: <sip:+14155550100@x>", "In-Reply-To: a@b",
    "Call-Info: <https://x.example>;purpose=info",
)  # fmt: skip
NAMES = tuple(row.partition(":")[0].lower() for row in OF_THE_USER)


def leaving(*rows: str, trusted: bool = False, **changes: object) -> Request:
    """The INVITE that reaches the carrier."""
    stage = Stage(trunks=changed("carrier-a", trusted=trusted))
    stage.call(headers=rows, **changes)
    assert stage.pbx.codes[-1] == 200
    return stage.requests_to(CARRIER_A, "INVITE")[0]


@pytest.mark.clause("PRV-08", "RFC 3323 5")
@pytest.mark.parametrize(
    ("privacy", "named"),
    [
        ("session;critical", "session"),
        ("header;user;session;critical", "header, session"),
        ("critical ; HEADER", "header"),
        ("user;critical\r\nPrivacy: x-later", "x-later"),
    ],
)
def test_critical_and_not_offered_is_500(privacy: str, named: str) -> None:
    """The levels that are not offered stand in the reason phrase; the call is on record and does not leave."""
    stage = Stage()
    stage.call(headers=tuple(f"Privacy: {privacy}".split("\r\n")))
    refused = stage.pbx.responses[-1]
    assert (refused.code, refused.reason) == (500, f"Privacy Failure: {named}")
    assert stage.octets_to(CARRIER_A) == []
    record = stage.record("decision")
    assert (record["rule"], record["code"]) == ("privacy.not-offered", 500)
    stage.settle()


@pytest.mark.clause("PRV-08", "RFC 3323 5")
@pytest.mark.parametrize("privacy", ["id;critical", "none", "user;id;critical", "history;critical", "critical"])
def test_critical_and_offered_is_forwarded(privacy: str) -> None:
    """What is offered does not fail for being critical."""
    assert leaving(PAI, f"Privacy: {privacy}").method == "INVITE"


@pytest.mark.clause("PRV-08", "PRV-09")
@pytest.mark.parametrize("privacy", ["session", "header;session", "x-later;id", "header"])
def test_what_is_not_offered_passes_on_untouched(privacy: str) -> None:
    """Without critical, the next privacy service may know the level."""
    request = leaving(f"Privacy:  {privacy}", "Proxy-Require: privacy")
    assert f"Privacy:  {privacy}" in request.rows
    assert request.value("proxy-require") == "privacy"


@pytest.mark.clause("PRV-08", "RFC 3323 5")
def test_the_next_trusted_neighbour_is_a_privacy_service_too() -> None:
    """Inside the trust domain nothing is refused, done or changed: that is for where the call leaves it."""
    row = "Privacy: user;session;history;critical"
    request = leaving(PAI, row, *OF_THE_USER[:4], "Proxy-Require: privacy", trusted=True)
    assert row in request.rows
    assert OWNED in request.required("from")
    assert all(request.has(name) for name in NAMES[:4])
    assert request.value("proxy-require") == "privacy"


@pytest.mark.clause("PRV-08", "EMG-04")
def test_privacy_never_refuses_an_emergency_call() -> None:
    """A critical level that is not offered is recorded on an emergency call, which goes on with its number."""
    stage = Stage()
    stage.call(uri=f"sip:911@{PROXY[0]};user=phone", called="911", headers=(PAI, "Privacy: user;session;critical"))
    request = stage.requests_to(RESCUE, "INVITE")[0]
    assert OWNED in request.required("from")
    assert request.value("p-asserted-identity") == PAI.partition(": ")[2]
    assert stage.record("decision")["reported"] == ["privacy.not-offered"]


@pytest.mark.clause("PRV-08", "policy")
def test_the_rule_may_only_report() -> None:
    """In report mode the call goes on, its Privacy as it was."""
    stage = Stage(policy=PolicySettings(modes={"privacy.not-offered": Mode.REPORT}))
    stage.call(headers=("Privacy: session;critical",))
    assert stage.requests_to(CARRIER_A, "INVITE")[0].value("privacy") == "session;critical"
    assert stage.record("decision")["reported"] == ["privacy.not-offered"]


@pytest.mark.clause("PRV-09", "RFC 3323 5.3")
@pytest.mark.parametrize(
    ("privacy", "left"),
    [("user", None), ("user;critical", None), ("user;id", "id"), ("header;user", "header"), ("history;user", None)],
)
def test_what_was_done_for_the_user_is_taken_off(privacy: str, left: str | None) -> None:
    """From is anonymous, the user agent's own words are gone, PAI is gone; what remains to be done stays in Privacy."""
    request = leaving(PAI, f"Privacy: {privacy}", *OF_THE_USER, "Proxy-Require: privacy")
    assert request.required("from") == ANONYMOUS
    assert not any(request.has(name) for name in (*NAMES, "p-asserted-identity", "user-agent"))
    assert request.value("privacy") == left
    assert request.value("proxy-require") == (None if left is None else "privacy")
    assert request.has("identity")  # RFC 8224 §11


@pytest.mark.clause("PRV-09", "PRV-04", "RFC 3323 5")
@pytest.mark.parametrize("rows", [("Privacy: none",), ("Privacy :  NONE", "Privacy: user")])
def test_none_forbids_all_of_it(rows: tuple[str, ...]) -> None:
    """Nothing is taken off and Privacy is not touched; a From as it was written."""
    request = leaving(PAI, *rows, *OF_THE_USER, "History-Info: <sip:+19005550100@x?Privacy=none>;index=1")
    assert OWNED in request.required("from")
    assert all(request.has(name) for name in NAMES)
    assert request.values("privacy") == [row.partition(":")[2].strip() for row in rows]
    assert "+19005550100" in request.required("history-info")


@pytest.mark.clause("PRV-09", "RFC 3323 5.3", "RFC 4916 4.2")
def test_who_is_anonymous_stays_so() -> None:
    """Responses show the caller its own From; what it says later in the dialog is under the anonymous one too."""
    stage = Stage()
    stage.call(headers=("Privacy: user",))
    for response in stage.pbx.responses:
        assert OWNED in response.required("from")
    stage.pbx.start(stage.pbx.in_dialog("UPDATE"))
    stage.network.run(1)
    assert stage.requests_to(CARRIER_A, "UPDATE")[0].required("from") == ANONYMOUS
    stage.carrier.start(stage.carrier.in_dialog("INFO"))
    stage.network.run(1)
    assert OWNED in stage.requests_to(ACME_PBX, "INFO")[0].required("to")
    stage.hang_up()
    lines = [line for octets in stage.octets_to(CARRIER_A) for line in octets.split(b"\r\n")]
    assert [line for line in lines if OWNED.encode() in line and not line.startswith(b"Identity")] == []
    stage.settle()


@pytest.mark.clause("PRV-09", "MSG-17")
def test_other_extensions_a_proxy_must_know_are_refused_still() -> None:
    """privacy is known; what stands beside it is named in Unsupported."""
    stage = Stage()
    stage.call(headers=("Proxy-Require: Privacy, foo",))
    assert (stage.pbx.codes, stage.pbx.responses[-1].value("unsupported")) == ([420], "foo")


HISTORY = (
    "History-Info: <sip:+14155550111@a.example?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1;rc=1",
    '"Bob, <b>" <sip:+14155550112@b.example>;index=1.1;foo="a,b"',
)
DIVERSION = (
    'Diversion: "Ann" <sip:+14155550100@c.example>;privacy=full;reason=unconditional',
    '"Ben" <sip:+14155550114@d.example>;reason=user-busy;privacy=off',
)


@pytest.mark.clause("PRV-19", "RFC 7044 10.1.2")
def test_an_entry_that_asks_for_it_is_anonymous_to_strangers() -> None:
    """The entry with Privacy=history loses its target and keeps its index; the one beside it keeps everything."""
    request = leaving(", ".join(HISTORY))
    assert request.listed("history-info") == ["<sip:anonymous@anonymous.invalid>;index=1;rc=1", HISTORY[1]]


@pytest.mark.clause("PRV-19", "RFC 5806 4")
@pytest.mark.parametrize(
    ("privacy", "told"),
    [
        ("full", "<sip:anonymous@anonymous.invalid>"),
        ("uri", '"Ann" <sip:anonymous@anonymous.invalid>'),
        ("name", "<sip:+14155550100@c.example>"),
        ("FULL", "<sip:anonymous@anonymous.invalid>"),
        ('"full"', "<sip:anonymous@anonymous.invalid>"),
        ("later", "<sip:anonymous@anonymous.invalid>"),
    ],
)
def test_a_diversion_that_asks_for_it_is_anonymous_to_strangers(privacy: str, told: str) -> None:
    """full hides name and URI, uri and name one of them; the reason stays, and so does the value beside it."""
    request = leaving(DIVERSION[0].replace("full", privacy) + ", " + DIVERSION[1])
    first, second = request.listed("diversion")
    assert first.startswith(f"{told};privacy=")
    assert first.endswith(";reason=unconditional")
    assert second == DIVERSION[1]


@pytest.mark.clause("PRV-19", "RFC 7044 10.1.2")
@pytest.mark.parametrize(
    ("privacy", "left"), [("history", None), ("header", "header"), ("session;history", "session"), ("id", "id")]
)
def test_the_whole_history(privacy: str, left: str | None) -> None:
    """A level of the whole message makes every entry anonymous; history is then done."""
    request = leaving(f"Privacy: {privacy}", "History-Info: <sip:+14155550112@b>;index=1, <sip:+14155550115@c>;index=2")
    hidden = [f"<sip:anonymous@anonymous.invalid>;index={index}" for index in (1, 2)]
    assert (request.listed("history-info") == hidden) is (privacy != "id")
    assert request.value("privacy") == left


@pytest.mark.clause("PRV-19", "PRX-02")
def test_what_asks_for_nothing_or_stays_inside_passes_to_the_octet() -> None:
    """Odd spaces and rows survive where nothing is to be hidden, and everything does between trusted neighbours."""
    rows = ("History-Info:   <sip:+14155550112@b?Reason=SIP%3Bcause%3D302>;index=1 , <sip:bob@b>;index=1.1",
            "diversion: <sip:+14155550100@d>;reason=no-answer;privacy=off")  # fmt: skip
    assert set(rows) <= set(leaving(*rows).rows)
    asking = (", ".join(HISTORY), ", ".join(DIVERSION))
    assert set(asking) <= set(leaving(*asking, trusted=True).rows)


@pytest.mark.clause("PRV-19")
@pytest.mark.parametrize(
    "row", ['History-Info: "a <sip:x@y?Privacy=history>;index=1', "Diversion: <sip:x@y;privacy=full"]
)
def test_what_cannot_be_read_does_not_leave(row: str) -> None:
    """Whether it asks for privacy cannot be told, so it is not shown to strangers."""
    assert not leaving(row).has(row.partition(":")[0].lower())


@pytest.mark.clause("PRV-19", "PRV-09")
@pytest.mark.parametrize("trusted", [False, True])
def test_towards_a_customer(trusted: bool) -> None:
    """A customer is a stranger too; user privacy is given to a trusted carrier's callers."""
    stage = Stage(trunks=changed("carrier-a", trusted=trusted))
    stage.arrives(headers=(", ".join(HISTORY), ", ".join(DIVERSION), "Privacy: user"))
    request = stage.requests_to(ACME_PBX, "INVITE")[0]
    assert "+14155550111" not in request.required("history-info")
    assert "+14155550100" not in request.required("diversion")
    assert (request.required("from") == ANONYMOUS) is trusted
    assert request.value("privacy") == (None if trusted else "user")


@pytest.mark.clause("PRV-19", "RFC 7044 10.1.2")
def test_responses_and_in_dialog_requests_hide_it_too() -> None:
    """History-Info of a 2xx or a re-INVITE reaches a stranger as anonymous as that of an INVITE."""
    stage = Stage()
    stage.carrier.script.headers = (("history-info", HISTORY[0].partition(": ")[2]),)
    stage.call()
    assert stage.pbx.responses[-1].value("history-info") == "<sip:anonymous@anonymous.invalid>;index=1;rc=1"
    request = stage.pbx.in_dialog("UPDATE")
    request.append("history-info", HISTORY[0].partition(": ")[2])
    stage.pbx.start(request)
    stage.network.run(1)
    there = stage.requests_to(CARRIER_A, "UPDATE")[0]
    assert there.value("history-info") == "<sip:anonymous@anonymous.invalid>;index=1;rc=1"
