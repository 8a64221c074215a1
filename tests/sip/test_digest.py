"""Digest: the published examples, the forms of RFC 8760, and everything that is not one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.errors import MalformedValue
from sipguard.sip.digest import (
    ALGORITHMS,
    Challenge,
    Credentials,
    answer,
    format_challenge,
    format_credentials,
    parse_challenge,
    parse_credentials,
    response_to,
    secret_of,
)

# RFC 7616 §3.9.1, both algorithms.
HTTP = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={algorithm}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{response}", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RESPONSES = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}
# RFC 2617 §3.5.
OLDER = (
    'Digest username="Mufasa",realm="testrealm@host.com",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
    'uri="/dir/index.html",qop=auth,nc=00000001,cnonce="0a4f113b",response="6629fae49393a05397450978507c4ef1",'
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
CHALLENGE = Challenge("sip.example", "n1", "SHA-256", ("auth",), "o1")


@pytest.mark.clause("PRX-32", "RFC 7616 3.9.1", "RFC 8760 2.2")
@pytest.mark.parametrize("algorithm", RESPONSES)
def test_the_examples_of_rfc_7616(algorithm: str) -> None:
    """The published response comes out, with MD5 in 32 and SHA-256 in 64 lower-case digits."""
    credentials = parse_credentials(HTTP.format(algorithm=algorithm, response=RESPONSES[algorithm]))
    secret = secret_of(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    assert response_to(secret, "GET", credentials) == credentials.response == RESPONSES[algorithm]


@pytest.mark.clause("PRX-32", "RFC 2617 3.5")
def test_md5_is_meant_where_no_algorithm_is_named() -> None:
    """The example of RFC 2617, without algorithm and without spaces."""
    credentials = parse_credentials(OLDER)
    assert credentials.algorithm == "MD5"
    secret = secret_of("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life")
    assert response_to(secret, "GET", credentials) == credentials.response


@pytest.mark.clause("PRX-32", "RFC 8760 2.7")
@pytest.mark.parametrize(
    ("written", "meant"),
    [("sha-256", "SHA-256"), ("SHA-512-256", "SHA-512-256"), ('"md5"', "MD5"), ("SHA-256-sess", None), ("x", None)],
)
def test_the_name_of_an_algorithm_has_no_case(written: str, meant: str | None) -> None:
    """Known names in any case; others, the session variants included, are none we know."""
    challenge = parse_challenge(f'Digest realm="r", nonce="n", algorithm={written}')
    assert challenge.algorithm == meant


@pytest.mark.clause("PRX-32", "RFC 8760 2.6")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_written_can_be_read(algorithm: str) -> None:
    """A challenge of ours and the answer to it come back as they were, with qop, count and quotes where they belong."""
    text = format_challenge("sip.example", "n1", algorithm, "o1", stale=True)
    challenge = parse_challenge(text)
    assert challenge == CHALLENGE._replace(algorithm=algorithm, stale=True)
    assert 'qop="auth"' in text
    secret = secret_of(algorithm, "acme", "sip.example", "Zoë's password")
    given_back = answer(challenge, "acme", secret, "INVITE", "sip:+12125550123@x", 255, "c1")
    row = format_credentials(given_back)
    assert parse_credentials(row) == given_back
    assert "nc=000000ff" in row
    assert "qop=auth," in row


@pytest.mark.clause("RFC 7616 3.4.1", "RFC 3261 22.4 (8)")
def test_without_qop_it_is_as_in_rfc_2069() -> None:
    """A challenge that offers no qop is answered without qop, count and cnonce."""
    row = format_credentials(answer(CHALLENGE._replace(qop=()), "acme", "0" * 64, "BYE", "sip:x", 1, "c1"))
    assert "qop" not in row
    assert "cnonce" not in row
    assert "nc=" not in row


@pytest.mark.clause("RFC 7616 3.4")
def test_a_value_counts_as_it_stands_between_its_quotes() -> None:
    """Escapes and commas in a quoted string stay, so that what is echoed and hashed is what the other side wrote."""
    challenge = parse_challenge('digest\trealm = "a, \\"b\\"" ,nonce="n",qop="auth-int, AUTH"')
    assert (challenge.realm, challenge.qop) == ('a, \\"b\\"', ("auth-int", "auth"))


@pytest.mark.clause("RFC 8760 2.6")
@pytest.mark.parametrize(
    "text",
    [
        "", "Basic QWxhZGRpbg==", "Bearer x", "Digest", "Digest ", 'Digest realm="r"', 'Digest realm="r" nonce="n"',
        'Digest realm="r", nonce="n",', 'Digest realm="r", nonce="n', 'Digest realm="r", nonce=', 'Digestrealm="r"',
        'Digest realm="r", realm="s", nonce="n"', 'Digest realm="r"x, nonce="n"', 'Digest realm="r",, nonce="n"',
        'Digest realm="' + "r" * 5000 + '", nonce="n"',
    ],
)  # fmt: skip
def test_what_is_no_challenge(text: str) -> None:
    """Another scheme, an open quote, a parameter given twice or missing, and what is far too long."""
    with pytest.raises(MalformedValue):
        parse_challenge(text)


@pytest.mark.clause("RFC 7616 3.4")
@pytest.mark.parametrize("count", ["1", "0000000g", "000000001", "\xb2\xb2\xb2\xb2\xb2\xb2\xb2\xb2"])
def test_a_count_has_eight_digits(count: str) -> None:
    """Anything but eight hexadecimal digits makes credentials unreadable."""
    with pytest.raises(MalformedValue):
        parse_credentials(f'Digest username="u", realm="r", nonce="n", uri="x", response="y", nc="{count}"')


@pytest.mark.clause("RFC 8760 2.6")
@given(st.text(st.characters(max_codepoint=255)))
def test_garbage_never_raises_anything_else(text: str) -> None:
    """Whatever stands there is read, or refused as malformed."""
    for value in (text, f"Digest {text}", f'Digest username="u", realm="r", nonce="n", uri="u", response="{text}"'):
        for read in (parse_challenge, parse_credentials):
            try:
                found = read(value)
            except MalformedValue:
                continue
            assert isinstance(found, Challenge | Credentials)
