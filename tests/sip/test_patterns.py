"""The regular expressions of the room: what they may be made of, and what the worst text costs."""

import contextlib
import re
import time
from pathlib import Path

import pytest

import sipguard
from sipguard.errors import MalformedValue
from sipguard.sip.address import parse_address
from sipguard.sip.header import parse_parameters, split_list
from sipguard.sip.uri import parse_uri
from sipguard.sip.via import parse_via

_POSSESSIVE_GROUP = re.compile(r"[)}][*+?]\+")
_LINES_WITH_A_PATTERN = re.compile(r"""r[bf]?["'].*[*+?]\+""")


def test_no_group_is_repeated_possessively():
    """Python 3.11 before 3.11.5, Debian 12's among them, matches such groups wrongly (cpython gh-100061, gh-101955)."""
    found = [
        f"{path.name}:{number}"
        for path in Path(sipguard.__file__).parent.rglob("*.py")
        for number, line in enumerate(path.read_text().split("\n"), 1)
        if _LINES_WITH_A_PATTERN.search(line) and _POSSESSIVE_GROUP.search(re.sub(r"\[[^\]]*\]", "[]", line))
    ]
    assert not found


@pytest.mark.clause("MSG-29")
@pytest.mark.parametrize(
    ("read", "text"),
    [
        (split_list, '"' + "a\\" * 30_000),
        (split_list, '"a" ' * 15_000 + "<"),
        (split_list, "," * 60_000),
        (parse_parameters, ";a=b" * 15_000 + "\x00"),
        (parse_parameters, ';a="\\' * 10_000),
        (parse_parameters, "; a = " * 10_000),
        (parse_uri, "sip:" + "%41" * 20_000),
        (parse_uri, "sip:" + "a:" * 30_000 + "@"),
        (parse_uri, "sip:a@b" + ";a=%41" * 10_000 + "%"),
        (parse_uri, "sip:a@b" + ";a" * 30_000 + "<"),
        (parse_uri, "sip:a@b?" + "a=%41&" * 10_000 + "<"),
        (parse_uri, "tel:+1" + ";a=%41" * 10_000 + "<"),
        (parse_address, '"' + "\\a" * 30_000),
        (parse_address, "a" * 60_000 + ":"),
        (parse_via, "SIP/2.0/UDP " + "a." * 30_000 + "<"),
    ],
)
def test_the_worst_text_is_read_in_linear_time(read, text):
    """Sixty thousand octets of what makes a pattern try again cost a fraction of a second, not minutes."""
    start = time.process_time()
    with contextlib.suppress(MalformedValue):
        read(text)
    assert time.process_time() - start < 0.5
