"""What is refused before any layer above sees it, and what is not."""

import pytest

from sipguard.errors import MalformedMessage
from sipguard.sip.message import Request, Response
from sipguard.sip.sanity import check
from tests.sip.messages import request, response


def refusal(message: Request | Response, *, datagram: bool = True) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        check(message, datagram=datagram)
    assert caught.value.message is message
    return caught.value


def test_a_usual_request_and_response_pass() -> None:
    """Nothing is wrong with an ordinary message."""
    check(request(), datagram=True)
    check(request("Content-Length: 0"), datagram=False)
    check(response("l: 3", body=b"abc"), datagram=False)


@pytest.mark.clause("MSG-08", "RFC 3261 8.1.1", "RFC 4475 3.3.1")
@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_missing_mandatory_field_is_named(name: str) -> None:
    """A message without a mandatory field is refused with its name in the phrase."""
    error = refusal(request(**{name.lower().replace("-", "_"): None}))
    assert (error.status, error.phrase) == (400, f"Missing {name}")
    refusal(response(**{name.lower().replace("-", "_"): None}))


@pytest.mark.clause("MSG-08", "RFC 4475 3.4.1")
def test_an_rfc_2543_request_passes() -> None:
    """Max-Forwards, the From tag and the branch may be missing."""
    check(request(max_forwards=None, via="SIP/2.0/UDP a", **{"from": "sip:a@b"}), datagram=True)


@pytest.mark.clause("MSG-07", "RFC 3261 20", "RFC 4475 3.3.8", "RFC 4475 3.3.9")
@pytest.mark.parametrize(
    "row",
    ["f: <sip:x@y>;tag=1", "To: <sip:x@y>", "i: two", "CSeq: 7 INVITE", "Max-Forwards: 70", "Content-Length: 0"],
)
def test_a_single_field_given_twice_is_refused(row: str) -> None:
    """Even equal values are not picked from."""
    assert refusal(request("l: 0", row)).status == 400


def test_other_fields_may_come_twice() -> None:
    """Repeated list fields and unknown fields pass."""
    check(request("Via: x", "Route: <sip:a>", "Route: <sip:b>", "X: 1", "X: 1"), datagram=True)


@pytest.mark.clause("MSG-09", "RFC 3261 8.1.1.5", "RFC 4475 3.1.2.17", "RFC 4475 3.1.2.18")
@pytest.mark.parametrize("cseq", ["7 OPTIONS", "7 invite", "2147483648 INVITE", "4294967296 INVITE", "x INVITE", "7"])
def test_a_cseq_of_another_method_or_out_of_range_is_refused(cseq: str) -> None:
    """The CSeq has the request's method and a number below 2**31."""
    assert refusal(request(cseq=cseq)).status == 400


@pytest.mark.clause("RFC 3261 17.1.3")
def test_a_response_may_answer_any_method() -> None:
    """A response's CSeq method is for matching, not for the sanity check."""
    check(response(cseq="7 BYE"), datagram=True)
    assert refusal(response(cseq="99999999999 BYE"))


@pytest.mark.clause("MSG-19", "RFC 3261 20.22")
@pytest.mark.parametrize(
    ("hops", "good"),
    [("0", True), ("0068", True), ("255", True), ("256", False), ("99999999999", False), ("-1", False), ("", False),
     ("7 0", False), ("\xb2", False)],
)  # fmt: skip
def test_max_forwards(hops: str, good: bool) -> None:
    """Max-Forwards is a number up to 255; zero is the proxy's business."""
    message = request(max_forwards=hops)
    if good:
        check(message, datagram=True)
    else:
        assert refusal(message).status == 400


@pytest.mark.clause("MSG-15", "RFC 4475 3.1.2.11")
@pytest.mark.parametrize("uri", ["sip:a@b?Route=%3Csip:c%3E", "sip:a@b?"])
def test_header_fields_in_the_request_uri_are_refused(uri: str) -> None:
    """A Request-URI with embedded header fields never gets any further."""
    assert refusal(request(uri=uri)).status == 400


@pytest.mark.clause("MSG-28", "MSG-14", "RFC 5118 4.2")
@pytest.mark.parametrize("uri", ["sip:2001:db8::10", "<sip:a@b>", "sip:", "bob", "tel:x y"])
def test_a_malformed_request_uri_is_refused(uri: str) -> None:
    """A Request-URI that is no URI is answered with 400."""
    assert refusal(request(uri=uri.replace(" ", ""))).status == 400


@pytest.mark.clause("MSG-16", "MSG-17", "RFC 3261 16.3 (1)", "RFC 4475 3.3.2", "RFC 4475 3.3.4")
def test_what_is_for_others_to_judge_passes() -> None:
    """Unknown schemes, dates, contacts, credentials and extensions are not judged here."""
    check(
        request(
            "Date: Fri, 01 Jan 2010 16:00:00 EST",
            "Contact: sip:a@b?Route=%3Csip:c%3E",
            "Authorization: NoOneKnowsThisScheme opaque-data=here",
            "Proxy-Require: noProxiesSupportThis",
            "Route: <<<",
            uri="nobodyKnowsThisScheme:totallyopaquecontent",
            to="isbn:2983792873",
            **{"from": "<http://www.example.com>;tag=3"},
        ),
        datagram=True,
    )


@pytest.mark.clause("RFC 4475 3.1.2.15", "RFC 4475 3.1.2.6")
@pytest.mark.parametrize("value", ["Bell, A <sip:a@b>", '"Bell <sip:a@b>', "< sip:a@b >", "a@b", "sip:a@2001:db8::1"])
@pytest.mark.parametrize("field", ["from", "to"])
def test_a_malformed_from_or_to_is_refused(field: str, value: str) -> None:
    """From and To name the caller and the called, so they must be readable."""
    assert refusal(request(**{field: value})).status == 400


@pytest.mark.parametrize("call_id", ["", "a b", "a\tb"])
def test_a_call_id_is_one_word(call_id: str) -> None:
    """A Call-ID has no white space and is not empty."""
    assert refusal(request(call_id=call_id)).status == 400


@pytest.mark.parametrize(
    "via", ["", "nonsense", "SIP/2.0/UDP 192.0.2.15;;,;,,", "SIP/2.0/UDP a, <", 'SIP/2.0/UDP a, "']
)
def test_a_malformed_top_via_is_refused(via: str) -> None:
    """Without a readable top Via there is no way back."""
    assert refusal(request(via=via)).status == 400


@pytest.mark.clause("MSG-35", "RFC 4475 3.1.1.10")
def test_lower_vias_are_not_judged() -> None:
    """Only the topmost Via must be understood."""
    check(request(via="SIP/2.0/UDP a;branch=x, SIP/9.9/@@ ???"), datagram=True)


@pytest.mark.clause("MSG-10", "RFC 3261 18.3", "RFC 4475 3.1.1.8")
def test_a_datagram_is_cut_to_its_content_length() -> None:
    """Octets after the body of a datagram are not part of the message."""
    message = request("Content-Length: 3", body=b"abcINVITE sip:x SIP/2.0")
    check(message, datagram=True)
    assert message.body == b"abc"


def test_without_content_length_the_body_is_the_rest_of_the_datagram() -> None:
    """A datagram ends its body by itself."""
    message = request(body=b"abc")
    check(message, datagram=True)
    assert message.body == b"abc"


@pytest.mark.clause("MSG-10", "MSG-11", "RFC 4475 3.1.2.2", "RFC 4475 3.1.2.3")
@pytest.mark.parametrize("length", ["4", "99999999999", "-3", "three", "", "\xb3", "3 3"])
def test_a_body_shorter_than_announced_or_no_length_at_all_is_refused(length: str) -> None:
    """Content-Length is a number, and that many octets are there."""
    assert refusal(request(f"Content-Length: {length}", body=b"abc")).status == 400
    refusal(response(f"Content-Length: {length}", body=b"abc"))


@pytest.mark.clause("MSG-11", "RFC 3261 18.3")
def test_on_a_stream_content_length_is_mandatory_and_exact() -> None:
    """On a stream nothing else ends a body."""
    assert refusal(request(body=b"abc"), datagram=False).status == 400
    assert refusal(request("Content-Length: 2", body=b"abc"), datagram=False).status == 400


def test_the_phrase_does_not_repeat_the_peer() -> None:
    """A reason phrase of ours holds nothing the sender wrote."""
    assert "2155550112" not in refusal(request(to='"x <sip:+12155550112@b>')).phrase
