"""CPU time of reading one INVITE: ``parse`` and ``sanity.check`` of a usual message, in microseconds.

Each message has a Call-ID, branch and tag of its own, as on a real trunk, so no cache flatters the figure. Run it as
``python -m bench.parse``; the target is 25 microseconds.
"""

from timeit import repeat

from sipguard.sip.parser import parse
from sipguard.sip.sanity import check

SDP = (
    "v=0\r\no=- 3724394400 3724394405 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
    "m=audio 16384 RTP/AVP 0 8 18 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)


def invite(number: int) -> bytes:
    """The ``number``-th INVITE: twelve header fields and a body, about 900 octets."""
    return (
        "INVITE sip:+12155550113@192.0.2.10:5060;user=phone SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-524287-1---{number:016x};rport\r\n"
        "Max-Forwards: 70\r\n"
        "Contact: <sip:+12155550112@198.51.100.7:5060>\r\n"
        "To: <sip:+12155550113@192.0.2.10:5060;user=phone>\r\n"
        f'From: "Alice Example" <sip:+12155550112@198.51.100.7:5060;user=phone>;tag={number:08x}\r\n'
        f"Call-ID: {number:032x}@198.51.100.7\r\n"
        "CSeq: 1 INVITE\r\n"
        "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE\r\n"
        "P-Asserted-Identity: <sip:+12155550112@198.51.100.7>\r\n"
        "Date: Tue, 24 Nov 2026 10:00:00 GMT\r\n"
        "Content-Type: application/sdp\r\n"
        f"Content-Length: {len(SDP)}\r\n\r\n{SDP}"
    ).encode()


def main() -> None:
    """Print the figures."""
    messages = [invite(number) for number in range(20_000)]

    def parse_only() -> None:
        for data in messages:
            parse(data)

    def parse_and_check() -> None:
        for data in messages:
            check(parse(data), datagram=True)

    print(f"INVITE of {len(messages[0])} octets")
    for label, work in (("parse", parse_only), ("parse and check", parse_and_check)):
        print(f"{label:16} {min(repeat(work, number=1, repeat=5)) / len(messages) * 1e6:6.2f} us")


if __name__ == "__main__":
    main()
