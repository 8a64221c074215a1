"""What the words of the flows stand for: header rows and bodies, plain ones and such as invite a proxy to mend them."""


def _sdp(version: int, *rows: str, address: str = "192.0.2.101", codecs: str = "0 8 101") -> tuple[str, str]:
    lines = (
        "v=0", f"o=pbx 2890844526 {version} IN IP4 192.0.2.101", "s=- ", f"c=IN IP4 {address}", "t=0 0",
        f"m=audio 49170 RTP/AVP {codecs}", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", *rows, "",
    )  # fmt: skip
    return "application/sdp", "\n".join(lines)


def _parts(*parts: tuple[str, str], extra: str = "") -> tuple[str, str]:
    text = "".join(f"--a=_b\nContent-Type: {kind}\n{extra}\n{body}\n" for kind, body in parts)
    return 'multipart/mixed;boundary="a=_b"', f"Preamble.\n{text}--a=_b--\nepilogue\n"


_DIGEST = 'username="acme", realm="far.example", nonce="84a4cc6f3082121f32b42a2187831a9e", uri="sip:far.example"'

ROWS = {
    # sessions
    "reason": 'Reason: Q.850;cause=16;text="Normal call clearing", SIP ;cause=600;text="Busy; everywhere"',
    "warning": 'Warning: 304 far.example "Incompatible media", 399 far.example "second"',
    "supported-100rel": "Supported: 100rel, timer , replaces",
    "require-100rel": "Require: 100rel",
    "rel1": "Require: 100rel\nRSeq: 1",
    "rel2": "Require: 100rel\nRSeq: 2",
    "rel3": "RSeq: 3\nRequire:100rel",
    "rack1": "RAck: 1 1 INVITE",
    "rack2": "RAck: 2 1 INVITE",
    "rack3": "RAck:  3   1 INVITE",
    "p-early-media": "P-Early-Media: sendrecv, gated",
    "se-60": "Session-Expires: 60\nSupported: timer",
    "se-1800": "x: 1800;refresher=uac\nk: timer",
    "se-uac": "Session-Expires: 1800;refresher=uac\nRequire: timer",
    "se-uas": "Session-Expires: 1800;refresher=uas\nRequire: timer",
    "min-se": "Min-SE: 1800",
    # refusals
    "retry-after": "Retry-After: 120 (at lunch);duration=3600",
    "contacts": 'Contact: <sip:+12125550177@other.example;user=phone>;q=0.7, "B, C" <tel:+12125550178>;q=0.3',
    "diversion": 'Diversion: <sip:+12125550123@far.example>;reason=unconditional;counter=1;privacy="off"',
    "require-odd": "Require: odd-extension",
    "unsupported": "Unsupported: odd-extension",
    "proxy-authenticate": 'Proxy-Authenticate: Digest realm="far.example", nonce="84a4cc6f3082121f32b42a2187831a9e", '
    'qop="auth,auth-int", algorithm=SHA-256\nProxy-Authenticate: Digest realm="far.example", nonce="84a4", '
    "algorithm=MD5",
    "proxy-authorization": f'Proxy-Authorization: Digest {_DIGEST}, response="7587245234b3434cc3412213e5f113a5"',
    "www-authenticate": 'WWW-Authenticate: Digest realm="far.example", nonce="84a4cc6f3082121f32b42a2187831a9e"',
    "authorization": f'Authorization: Digest {_DIGEST}, response="7587245234b3434cc3412213e5f113a5"\n'
    "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.",
    # transfer
    "refer-to": "Refer-To: <sip:+12125550166@transfer.example;method=INVITE?Subject=a%20b>\n"
    "Referred-By: <sip:+14155550100@pbx.example>\nRefer-Sub: true",
    "refer-to-replaces": 'r: "C" <sip:c@transfer.example?Replaces=12345%40192.168.118.3%3Bto-tag%3D12%3Bfrom-tag%3D5>\n'
    "b: <sip:x@far.example>\nSupported: norefersub",
    "replaces": "Replaces: 98732@sip.example.com ;from-tag=r33th4x0r; to-tag=ff87ff;early-only\n"
    "Join: 12adf2f34456gs5;to-tag=12345;from-tag=54321\nRequire: replaces",
    "notify-trying": "Event: refer\nSubscription-State: active;expires=60",
    "notify-done": "Event: refer;id=2\nSubscription-State: terminated;reason=noresource",
    # other methods
    "info-package": "Info-Package: dtmf\nRecv-Info: dtmf, nil",
    "event": "Event: message-summary\nExpires: 3600\nAccept: application/simple-message-summary",
    "event0": "o: message-summary\nExpires: 0",
    "expires": "Expires: 1800",
    "expires0": "Expires: 0",
    "notify-active": "Event: message-summary\nSubscription-State: active;expires=1800",
    "notify-over": "o: message-summary\nSubscription-State: terminated;reason=timeout",
    "accept": "Accept: application/sdp;level=1, application/x-private, text/html\nAccept:",
    "allow": "Allow: INVITE,ACK , CANCEL,\tOPTIONS, BYE, X-ODD\nAccept-Encoding:\nAccept-Language: da, en-gb;q=0.8",
    # rows of every kind
    "geolocation": "Geolocation: <cid:target123@pbx.example>;inserted-by=\"pbx\", <https://lis.example/x?y=%20>\n"
    "Geolocation-Routing: yes",
    "plain": "Subject: Lunch\nUser-Agent: A PBX/1.0 (build 7; \"odd\")\nOrganization: Acme, Inc.\n"
    "Priority: non-urgent\nAlert-Info: <http://www.example.com/sounds/moo.wav>;info=alert-autoanswer\n"
    "In-Reply-To: 70710@saturn.bell.example\nX-Customer: 1\nX-Customer: 2\nX-Customer: 1",
    "odd": "s  :  two blanks  \nX-Empty:\nx-UPPER-lower:\tTab\nX-Quote: \"a, b\\\" c\" ; d=\"e;f\"\n"
    "User-to-User: 56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar\nX-Percent: %41%00%zz\n"
    "X-Braces: {a} ~^`|<>",
    "utf-8": 'Call-Info: "Zoë Łódź 電話" <http://www.example.com/x>;purpose=info\nX-Name: Jürgen \U0001f4de',
    "session-id": "Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000",
    "session-id2": "Session-ID: 47755a9de7794ba387653f2099600ef2;remote=ab30317f1a784dc48ff824d0d3715d86;x-own",
    "preferences": "Request-Disposition: proxy, recurse, parallel\nAccept-Contact: *;audio;require, *;video;explicit\n"
    "j: *;mobility=\"fixed\"\nPrivacy: none",
    "history-info": "History-Info: <sip:UserA@ims.example.com>;index=1;foo=bar, "
    "<sip:UserB@example.com?Reason=SIP%3Bcause%3D302>;index=1.1",
}  # fmt: skip

_CANDIDATES = [f"a=candidate:{n} 1 UDP 2130706431 192.0.2.{n} {40000 + n} typ host generation 0" for n in range(1, 28)]
_ISUP = "\\x01\\x11\\x48\\x04\\x0a\\xff\\x80\\x7f\\x0d\\x09"
_PIDF = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:alice@pbx.example">
<tuple id="sg89ae"><status><gp:geopriv xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"/></status></tuple>
</presence>"""

BODIES = {
    "offer": _sdp(1, "a=sendrecv"),
    "answer": _sdp(1, "a=sendrecv", codecs="0 101"),
    "offer2": _sdp(2, "a=ptime:30", "a=sendrecv"),
    "answer2": _sdp(2, "a=ptime:30", codecs="0"),
    "offer3": _sdp(3, "m=video 0 RTP/AVP 31"),
    "answer3": _sdp(3, "m=video 0 RTP/AVP 31", "a=x-odd:  two  blanks "),
    "sendonly": _sdp(2, "a=sendonly"),
    "recvonly": _sdp(2, "a=recvonly"),
    "inactive": _sdp(3, "a=inactive"),
    "black-hole": _sdp(4, address="0.0.0.0"),
    "large": _sdp(1, *_CANDIDATES),
    "trying": ("message/sipfrag;version=2.0", "SIP/2.0 100 Trying\n"),
    "ok": ("message/sipfrag;version=2.0", "SIP/2.0 200 OK\nVia: none\n"),
    "dtmf": ("application/dtmf-relay", "Signal= 5\nDuration= 160\n"),
    "mwi": ("application/simple-message-summary", "Messages-Waiting: yes\nVoice-Message: 2/8 (0/2)\n"),
    "text": ("text/plain;charset=UTF-8", "Grüße, 電話!\n\n\tthree lines"),
    "isup": _parts(
        _sdp(1, "a=sendrecv"), ("application/ISUP;version=itu-t92+;base=itu-t92+", _ISUP),
        extra="Content-Disposition: signal;handling=optional\n",
    ),
    "isup-release": ("application/ISUP;version=itu-t92+", _ISUP),
    "location": _parts(_sdp(1), ("application/pidf+xml", _PIDF), extra="Content-ID: <target123@pbx.example>\n"),
}  # fmt: skip
