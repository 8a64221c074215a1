"""The productions of RFC 3261 §25.1 that the differences are about, one to one as patterns, and nothing of sipguard's.

A difference is proven by this: its example is in the grammar, and the grammar's parts of it are what sipguard reads.
``LWS`` is written for one line, as after unfolding.
"""

import re

ALPHANUM = "[A-Za-z0-9]"
TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
LWS = "[ \t]+"
SWS = "[ \t]*"
UTF8_NONASCII = "[\x80-\xff]"
QUOTED_PAIR = r"\\[\x00-\x09\x0b\x0c\x0e-\x7f]"
QDTEXT = rf"(?:{LWS}|[\x21\x23-\x5b\x5d-\x7e]|{UTF8_NONASCII})"
QUOTED_STRING = rf'{SWS}"(?:{QDTEXT}|{QUOTED_PAIR})*"'
EQUAL, SEMI, COMMA, SLASH = (rf"{SWS}{mark}{SWS}" for mark in "=;,/")
LAQUOT, RAQUOT = rf"{SWS}<", rf">{SWS}"
HOST = rf"(?:{ALPHANUM}[A-Za-z0-9\-.]*|\[[0-9A-Fa-f:.]+\])"
GEN_VALUE = rf"(?:{TOKEN}|{HOST}|{QUOTED_STRING})"
GENERIC_PARAM = rf"{TOKEN}(?:{EQUAL}{GEN_VALUE})?"
ESCAPED = "%[0-9A-Fa-f]{2}"
USER = rf"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|{ESCAPED})+"
PARAMCHAR = rf"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|{ESCAPED})"
SIP_URI = rf"sips?:(?:{USER}(?::[^@;]*)?@)?{HOST}(?::[0-9]+)?(?:;{PARAMCHAR}+(?:={PARAMCHAR}+)?)*"
DISPLAY_NAME = rf"(?:(?:{TOKEN}{LWS})*|{QUOTED_STRING})"
NAME_ADDR = rf"{DISPLAY_NAME}?{LAQUOT}{SIP_URI}{RAQUOT}"
CONTACT_PARAM = rf"(?:{NAME_ADDR}|{SIP_URI})(?:{SEMI}{GENERIC_PARAM})*"
VIA_PARM = rf"SIP{SLASH}2\.0{SLASH}{TOKEN}{LWS}{HOST}(?::[0-9]+)?(?:{SEMI}{GENERIC_PARAM})*"

ITEM = {"address": CONTACT_PARAM, "addresses": CONTACT_PARAM, "via": VIA_PARM, "vias": VIA_PARM}


def items(kind: str, text: str) -> list[str]:
    """The values of a field, cut where the grammar cuts. Raises ValueError when the field is not in the grammar."""
    one = ITEM[kind]
    if re.fullmatch(rf"{one}(?:{COMMA}{one})*", text) is None:
        raise ValueError("not in the grammar")
    return [match[0] for match in re.finditer(rf"{one}(?={COMMA}|\Z)", text)]


def display(item: str) -> str:
    """The display name of a name-addr, its quotes and quoted pairs undone."""
    match = re.match(rf"({DISPLAY_NAME})?{LAQUOT}", item)
    return "" if match is None else content((match[1] or "").strip(" \t"))


def parameters(item: str) -> dict[str, str | None]:
    """The header parameters of a value."""
    found = re.search(rf"((?:{SEMI}{GENERIC_PARAM})*)\Z", item)
    text = "" if found is None else found[1]
    pairs = re.findall(rf"{SEMI}({TOKEN})(?:{EQUAL}({GEN_VALUE}))?", text)
    return {name.lower(): content(value) if value else None for name, value in pairs}


def content(text: str) -> str:
    """What a quoted string says; any other text says itself."""
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if text[:1] == '"' else text
