"""Log lines: JSON, one line each, no secrets, numbers masked on request."""

import io
import json
import logging
from typing import Any

import pytest

from sipguard.runtime.logs import JsonFormatter, mask_numbers, without_secrets
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import StiCa

ISSUED = StiCa.create(UnixTime(1_790_000_000)).issue()
TOKEN = (
    "eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9hLnRlc3QvIn0"
    ".eyJhdHRlc3QiOiJBIiwiZGVzdCI6eyJ0biI6WyIxNDE1NTU1MDE5OSJdfX0"
    ".c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl"
)
COMPACT = TOKEN.split(".")[0] + ".." + TOKEN.split(".")[2]
SECRETS = (
    ISSUED.key_pem.decode(),
    ISSUED.certificate_pem.decode(),
    ISSUED.key_pem.decode()[:100],
    TOKEN,
    COMPACT,
    f"{TOKEN};info=<https://a.test/>;alg=ES256",
)


def line(message: str = "said", mask: bool = False, **fields: Any) -> dict[str, Any]:
    """What a log call writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(mask))
    record = logging.LogRecord("sipguard.x", logging.INFO, __file__, 1, message, None, None)
    record.fields = fields
    handler.handle(record)
    assert stream.getvalue().count("\n") == 1
    decoded: dict[str, Any] = json.loads(stream.getvalue())
    return decoded


def test_a_line_is_one_json_object() -> None:
    """Time in UTC, level, event, and the fields in their order and types."""
    written = line("call.refused", code=403, rule="caller-id.not-owned", ok=True, list=("a", 1), inner={"b": None})
    assert list(written) == ["at", "level", "event", "code", "rule", "ok", "list", "inner"]
    assert written["at"].endswith("Z")
    assert (written["code"], written["list"], written["inner"]) == (403, ["a", 1], {"b": None})


def test_line_ends_of_others_do_not_split_a_line() -> None:
    """A header value with CR, LF or U+2028 in it stays inside its string."""
    assert line(value="a\r\nb\u2028c")["value"] == "a\r\nb\u2028c"


@pytest.mark.parametrize("secret", SECRETS, ids=("key", "certificate", "half a key", "full", "compact", "header"))
@pytest.mark.parametrize("place", ["message", "field", "octets", "nested", "exception"])
def test_no_key_and_no_token_leaves(secret: str, place: str) -> None:
    """Wherever a PEM block or an Identity token turns up, it is taken out."""
    if place == "message":
        written = line(f"before {secret}")
    elif place == "field":
        written = line(value=f"before {secret}")
    elif place == "octets":
        written = line(value=secret.encode())
    elif place == "nested":
        written = line(value={"deep": [secret]})
    else:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", None, None)
        record.exc_info = (ValueError, ValueError(secret), None)
        written = json.loads(JsonFormatter().format(record))
    text = json.dumps(written)
    assert "removed]" in text
    assert TOKEN.split(".")[2] not in text
    assert "-----BEGIN" not in text
    assert ISSUED.key_pem.decode().split("\n")[1] not in text


@pytest.mark.clause("EXT-14")
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("From +14155550100 is not assigned", "From +*********00 is not assigned"),
        ("sip:14155550100@192.0.2.1:5060;user=phone", "sip:*********00@192.0.2.1:5060;user=phone"),
        ("tel:+1-415-555-0100", "tel:+*-***-***-**00"),
        ("(415) 555-0100", "(***) ***-**00"),
        ("192.168.100.200", "192.168.100.200"),
        ("udp:203.0.113.5:5060", "udp:203.0.113.5:5060"),
        ("code 403 of 911", "code 403 of 911"),
        ("listener 12345", "listener 12345"),
    ],
)
def test_numbers_are_masked_to_their_last_two_digits(text: str, masked: str) -> None:
    """Telephone numbers become unreadable; addresses, ports and codes stay."""
    assert mask_numbers(text) == masked


def test_masking_reaches_every_string_but_identifiers() -> None:
    """The record identifier still leads to the attestation log."""
    written = line("call +14155550100", mask=True, record="68000000-12", number=["+14155550100"], detail="+14155550100")
    assert "4155550" not in json.dumps(written)
    assert written["record"] == "68000000-12"


def test_without_masking_numbers_stay() -> None:
    """Masking is the operator's choice."""
    assert line(number="+14155550100")["number"] == "+14155550100"


def test_text_without_secrets_is_untouched() -> None:
    """Ordinary text, host names and paths are no tokens."""
    text = "https://certificates.example.com/2026/leaf.pem udp:192.0.2.1:5060 a.b.c"
    assert without_secrets(text) == text


def test_an_exception_is_its_type_and_text() -> None:
    """No traceback, whoever logs with exc_info."""
    try:
        raise ValueError("no good")
    except ValueError as error:
        record = logging.LogRecord(
            "uvicorn.error", logging.ERROR, __file__, 1, "failed", None, (type(error), error, None)
        )
    written = json.loads(JsonFormatter().format(record))
    assert (written["error"], written["detail"], written["logger"]) == ("ValueError", "no good", "uvicorn.error")
