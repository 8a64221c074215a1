"""The torture messages of RFC 4475 and RFC 5118, as far as parser and sanity check decide.

``vectors/index.json`` says for each message what a proxy may do. Answers that need more than the message itself (416,
420, 483, 404 ...) are the proxy's: here such a message must only be readable.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sipguard.errors import MalformedMessage
from sipguard.sip.message import Request, Response
from sipguard.sip.parser import parse
from sipguard.sip.response import build_response
from sipguard.sip.sanity import check

VECTORS = Path(__file__).parent / "vectors"
INDEX: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))
REFUSALS = {"400", "501", "505"}  # what parser and sanity check may answer by themselves
NOT_OURS_BY_STATUS = {"forward-repaired"}  # this proxy refuses instead of repairing

every_message = pytest.mark.parametrize("entry", INDEX, ids=[entry["name"] for entry in INDEX])


def outcome(data: bytes) -> Request | Response | MalformedMessage:
    """The message, or why it is refused."""
    try:
        message = parse(data)
        check(message, datagram=True)
    except MalformedMessage as error:
        return error
    return message


@pytest.mark.clause("RFC 4475", "RFC 5118", "MSG-14", "MSG-16")
@every_message
def test_the_outcome_is_acceptable(entry: dict[str, Any]) -> None:
    """Each torture message is refused with an acceptable status, or read when it may go on."""
    acceptable = set(entry["proxy_acceptable"]) - NOT_OURS_BY_STATUS
    result = outcome((VECTORS / entry["file"]).read_bytes())
    if isinstance(result, MalformedMessage):
        assert str(result.status) in acceptable | ({"400"} if "drop" in acceptable else set())
    else:
        assert acceptable - REFUSALS, f"{entry['name']} must be refused"
        assert isinstance(result, Response if entry["kind"] == "response" else Request)


@pytest.mark.clause("MSG-01", "RFC 4475")
@every_message
def test_untouched_messages_leave_unchanged(entry: dict[str, Any]) -> None:
    """What can be read is written back octet for octet."""
    data = (VECTORS / entry["file"]).read_bytes()
    try:
        message = parse(data)
    except MalformedMessage:
        return
    whole = data if b"\r\n\r\n" in data else data + b"\r\n"  # two messages lack the empty line after their head
    assert message.encode() == whole.lstrip(b"\r\n")


@pytest.mark.clause("MSG-08", "MSG-22")
@every_message
def test_every_refused_request_can_be_answered(entry: dict[str, Any]) -> None:
    """The response to a refused request is itself well-formed, and a refused response is dropped."""
    result = outcome((VECTORS / entry["file"]).read_bytes())
    if isinstance(result, MalformedMessage) and isinstance(result.message, Request):
        answer = parse(build_response(result.message, result.status, result.phrase, "tag").encode())
        assert isinstance(answer, Response)
        assert answer.code == result.status
    elif isinstance(result, MalformedMessage):
        assert entry["kind"] == "response"


@pytest.mark.clause("PIT-10", "RFC 5118")
@pytest.mark.parametrize("file", sorted(path.name for path in VECTORS.glob("*.fixed-cl.sip")))
def test_messages_with_their_length_corrected_pass(file: str) -> None:
    """With a Content-Length that is true, IPv6 in headers and body is no reason for anything."""
    assert isinstance(outcome((VECTORS / file).read_bytes()), Request)


@pytest.mark.clause("PIT-10", "MSG-31", "RFC 3261 7")
@pytest.mark.parametrize("file", sorted(path.name for path in VECTORS.glob("*.raw-lf")))
def test_bare_line_feeds_are_refused(file: str) -> None:
    """A message with LF for CRLF is refused: another reader might see other rows."""
    assert isinstance(outcome((VECTORS / file).read_bytes()), MalformedMessage)


def message(name: str) -> Request | Response:
    """The named message, which must pass."""
    result = outcome((VECTORS / f"rfc4475-{name}.sip").read_bytes())
    assert not isinstance(result, MalformedMessage)
    return result


@pytest.mark.clause("MSG-02", "MSG-04", "RFC 4475 3.1.1.1")
def test_wsinv_is_read_as_the_rfc_reads_it() -> None:
    """Folds, white space and compact names give the plain values."""
    invite = message("wsinv")
    assert invite.to.tag == "1918181833n"
    assert invite.from_.display == 'J Rosenberg \\"'
    assert invite.from_.tag == "98asjd8"
    assert invite.cseq == (9, "INVITE")
    assert invite.value("max-forwards") == "0068"
    assert invite.value("subject") == ""
    assert (invite.via.transport, invite.via.host, invite.via.branch) == ("UDP", "192.0.2.2", "390skdjuw")
    assert len(invite.listed("via")) == 3
    assert invite.value("newfangledheader") == "newfangled value continued newfangled value"
    assert invite.value("unknownheaderwithunusualvalue") == ";;,,;;,;"


@pytest.mark.clause("MSG-10", "RFC 4475 3.1.1.8")
def test_dblreq_is_one_message() -> None:
    """The second request in the datagram is cut off."""
    assert message("dblreq").body == b""


@pytest.mark.clause("RFC 4475 3.1.1.11")
def test_mpart01_keeps_its_binary_body() -> None:
    """NULs and bare CRs in a body are nobody's business."""
    multipart = message("mpart01")
    assert len(multipart.body) == int(multipart.required("content-length"))
    assert b"\0" in multipart.body


@pytest.mark.clause("RFC 4475 3.1.1.2")
def test_intmeth_keeps_every_octet() -> None:
    """The exotic method, tags and display name come through."""
    request = message("intmeth")
    assert isinstance(request, Request)
    assert request.method == request.cseq.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert request.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert request.from_.tag == "_token~1'+`*%!-."


@pytest.mark.clause("PIT-11", "RFC 4475")
def test_the_archive_holds_one_file_more_than_the_rfc_names() -> None:
    """Of its fifty files one belongs to no section: no message of the RFC, though it is read like the others."""
    archived = [entry for entry in INDEX if entry["file"].startswith("rfc4475-")]
    assert len(archived) == 50
    assert [entry["name"] for entry in archived if not entry["section"].startswith("3.")] == ["test"]
