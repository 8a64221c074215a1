"""Emergency numbers by country, and how to recognise one however it is dialled (RFC 5031, EMG-03).

A caller in distress, or one who wants to slip past screening, writes 911 in many ways: with an outside-line digit
(9911), a national or country prefix (1911, +1911), a service code (*67911), separators, escapes, a tel URI inside a sip
user part, a service URN. All of them are undone here, and nothing else in the house has to know them. A number that is
dialled as it stands in the table always wins; prefixes are only taken off numbers too short to be anybody's subscriber.

The table lists what each country publishes, the test number 933 of North American VoIP providers included. A country
that is not listed has the two numbers every mobile telephone knows (3GPP TS 22.101 §10.1). 988 is a crisis line, not an
emergency number: it is never treated as one, and no rule about destinations or numbers of calls stops it.
"""

import re
from collections.abc import Mapping

from sipguard.sip.uri import OtherUri, SipUri, TelUri, Uri, unescape
from sipguard.stir.telephone_number import DialPlan

_TABLE = """
AC AG LC MS SH TC VC VG: 911 999
AD: 110 112 116 118
AE PL: 112 997 998 999
AF: 100 102 119
AI AS BM FM GD GU KY MH MP PA PW TV VI: 911
AL: 112 127 128 129
AM KG: 101 102 103
AO: 112 113 115
AR: 100 101 107 911
AT: 112 122 133 144
AU CC CX: 000 106 112
AW: 100 911
AX FI GL IS KW MT RO SE ST VU: 112
AZ BY KZ TJ UA: 101 102 103 112
BA: 122 123 124
BB: 211 511 911
BD: 100 101 102 199 999
BE: 100 101 112
BF DJ KM MR SN TD: 17 18
BG: 112 150 160 166
BH: 199 999
BI: 112 113 117
BJ: 112 114 116 117 118
BL FR GF GP MF MQ PM RE YT: 15 17 18 112 114 196
BN: 991 993 995
BO JP: 110 118 119
BQ CR CW DO NL: 112 911
BR: 112 190 192 193 911
BS: 911 919
BT NO SJ SY: 110 112 113
BW: 111 112 911 997 998 999
BZ: 90 911
CA PR US: 911 933
CD: 113 114 118 177 188
CF: 117 118 1220
CG: 117 118
CH LI: 112 117 118 144
CI: 110 111 170 180
CK: 996 998 999
CL: 131 132 133 911
CM: 13 17 113 117
CN: 110 112 119 120 122
CO: 112 119 123 132 156
CU: 104 105 106
CV: 130 131 132
CY: 112 199
CZ: 112 150 155 156 158
DE EE: 110 112
DK FO: 112 114
DM KN: 333 911 999
DZ: 14 17 112
EC: 101 102 112 911
EG: 122 123 180
EH MA: 15 19 177
ER: 112 113 114 116
ES: 085 088 112
ET: 91 92 93 911 939 991 997
FJ: 911 917
FK IM MO NU QA SB SC SD SS SZ UG: 999
GA: 18 1300 1730
GB GG IE JE MY: 112 999
GE: 011 022 033 111 112 113 122
GH: 191 192 193 999
GI: 112 190 199
GM: 16 17 18 116 117 118
GN: 18 117
GR: 100 112 166 199
GT: 110 120 123
GW: 113 117 118
GY: 911 912 913
HK: 112 992 999
HN MM: 199
HR: 93 94 112 192 193 194
HT: 114 118
HU: 104 105 107 112
ID: 110 112 113 118 119
IL: 100 101 102 112
IN: 100 101 102 108 112
IQ: 100 104 115 122
IR: 110 112 115 125 911
IT VA: 112 113 115 118
JM: 110 112 119 911
JO: 112 191 192 197 911
KE: 112 114 911 999
KH: 117 118 119 666
KI: 192 193 194 195 992 993 994
KP: 112 119 819
KR: 112 119
LA: 190 191 195
LB: 112 140 175 999
LK: 110 112 116 118 119
LR: 355 911
LS: 112 115 117
LT: 01 02 03 011 022 033 101 102 103 112
LU SI: 112 113
LV: 01 02 03 110 112 113
LY: 190 191 193
MC: 15 17 18 112
MD: 112 901 902 903
ME: 112 122 123 124
MG: 17 18 117 118
MK XK: 112 192 193 194
ML PF WF: 15 17 18
MN: 100 101 102 103 105
MU: 114 115 995 999
MV: 102 118 119
MW: 199 997 998 999
MX: 060 065 066 068 080 911
MZ: 117 119 197 198
NA: 112 10111
NC: 15 16 17 18
NE: 15 17 18 118
NF: 000 106 112 911 955 977
NG: 112 199 767
NI: 115 118 120 128
NP: 100 101 102 103 112
NR: 110 111 112
NZ: 111
OM: 1444 9999
PE: 105 106 116 117 911
PG: 000 110 111
PH: 112 117 911
PK: 15 16 112 115 1122
PS: 100 101 102
PT TL: 112 115
PY UY: 128 911
RS: 92 93 94 112
RU: 01 02 03 101 102 103 112
RW: 111 112
SA: 112 911 997 999
SG: 993 995 999
SK: 112 150 155 158
SL: 019 999
SM: 113 115 118
SO: 555 888 999
SR: 115
SV: 911 913
SX: 919
TG: 117 118 171 172 177
TH: 191 199 1669
TM: 01 02 03
TN: 190 197 198
TO: 911 922 999
TR: 110 112 155 156 158 177
TT: 990 999
TW: 110 112 118 119
TZ: 110 111 112 114 115 999
UZ: 01 02 03 001 002 003 050
VE: 112 171 911
VN: 113 114 115
WS: 911 994 995 996 999
YE: 191 194 195 199
ZA: 112 10111 10177
ZM: 112 991 993 999
ZW: 112 993 994 995 999
"""


def _read(table: str) -> dict[str, frozenset[str]]:
    numbers = {}
    for row in table.split("\n"):
        countries, colon, listed = row.partition(": ")
        if colon:
            numbers.update(dict.fromkeys(countries.split(" "), frozenset(listed.split(" "))))
    return numbers


NUMBERS = _read(_TABLE)
EVERYWHERE = frozenset(("112", "911"))
CRISIS_LINE = "988"
TESTS = frozenset(("933",))  # answered by a machine that says which address is registered

_OUTSIDE_LINE = "098"  # digits a private exchange dials first to reach the public network
_LONGEST = 9  # digits; a longer number is a subscriber's whatever it starts with
_SUBSCRIBER = re.compile(r"sips?:\+?[0-9]{11,}[@;]")  # as nearly every call has it: not worth a closer look
_NORTH_AMERICA = "1"
# What a telephone that hides or shows its number puts before every call: #31#911, and within +1 *67911.
_ENCLOSED_CODE = re.compile(r"[*#]{1,2}[0-9]{2}[*#]")
_SERVICE_CODE = re.compile(r"[*#]{1,2}[0-9]{2}[*#]|\*(?:67|82)")
_DIALLED = frozenset("0123456789+*#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SEPARATORS = {code: None for code in range(128) if chr(code) not in _DIALLED}

Overrides = Mapping[str, tuple[str, ...]]


def is_emergency(number: str, country: str, overrides: Overrides) -> bool:
    """Whether ``number``, exactly as it stands, is an emergency number of a country (ISO 3166 alpha-2).

    ``overrides`` adds numbers to a country; an empty tuple takes the built-in ones of that country away.
    """
    if number == CRISIS_LINE:
        return False
    extra = overrides.get(country)
    if extra is None:
        return number in NUMBERS.get(country, EVERYWHERE)
    return bool(extra) and (number in extra or number in NUMBERS.get(country, EVERYWHERE))


def emergency_number(uri: Uri, plan: DialPlan, overrides: Overrides) -> str | None:
    """The emergency number or service URN a Request-URI means under a dial plan; None when it means neither."""
    dialled = short_number(uri)
    return recognised(dialled, plan, overrides) if dialled else None


def short_number(uri: Uri) -> str:
    """What was dialled, when it is short enough to mean an emergency number, or the service URN; empty otherwise."""
    if isinstance(uri, OtherUri):
        return _service(uri)
    if _SUBSCRIBER.match(uri.text):
        return ""
    dialled = _dialled(uri)
    # The longest that can hold one has a plus or a closing "#" besides.
    return dialled if 1 < len(dialled) <= _LONGEST + 1 else ""


def recognised(dialled: str, plan: DialPlan, overrides: Overrides) -> str | None:
    """The emergency number or service URN that a ``short_number`` means under a dial plan."""
    if dialled[:4] == "urn:":
        return dialled
    dialled = dialled.rstrip("#")
    if dialled[:1] in ("*", "#"):
        code = (_SERVICE_CODE if plan.country_code == _NORTH_AMERICA else _ENCLOSED_CODE).match(dialled)
        dialled = dialled if code is None else dialled[code.end() :]
    if dialled[:1] == "+":
        return _global(dialled[1:], plan, overrides)
    return _local(dialled, plan, overrides)


def _service(uri: OtherUri) -> str:
    """``urn:service:sos`` and everything below it, in any case (EMG-01)."""
    rest = uri.rest.lower()
    if uri.scheme == "urn" and (rest == "service:sos" or rest.startswith("service:sos.")):
        return f"urn:{rest}"
    return ""


def _dialled(uri: SipUri | TelUri) -> str:
    """What was dialled, without escapes, tel parameters and separators."""
    if isinstance(uri, TelUri):
        text = uri.number
    elif uri.user is None:
        # "sip:911" reads as a host; no host is a bare number.
        return uri.host if uri.host.isascii() and uri.host.isdigit() else ""
    elif uri.user.lower() == "tel" and uri.password:
        text = uri.password  # sip:tel:911@host
    else:
        text = uri.user_number
    if "%" in text:
        text = unescape(text).partition(";")[0]
    if text[:4].lower() == "tel:":
        text = text[4:]
    return text.translate(_SEPARATORS)


def _global(digits: str, plan: DialPlan, overrides: Overrides) -> str | None:
    """+911 and +1911: too short to be international numbers, so they mean what follows the plus or country code."""
    if is_emergency(digits, plan.country, overrides):
        return digits
    national = digits.removeprefix(plan.country_code)
    return national if national != digits and is_emergency(national, plan.country, overrides) else None


def _local(digits: str, plan: DialPlan, overrides: Overrides) -> str | None:
    """The number as it stands, then behind an outside-line digit, then behind dialling prefixes."""
    found = _behind_prefixes(digits, plan, overrides)
    if found is not None or digits[:1] not in _OUTSIDE_LINE:
        return found
    rest = digits[1:]
    # Two-digit numbers behind 9 or 8 are other people's short codes; behind 0 they are not.
    if len(rest) > 2 or digits[:1] == "0":
        return _behind_prefixes(rest, plan, overrides)
    return None


def _behind_prefixes(digits: str, plan: DialPlan, overrides: Overrides) -> str | None:
    if is_emergency(digits, plan.country, overrides):
        return digits
    code = plan.country_code
    for prefix in (plan.international_prefix + code, "00" + code, code, plan.national_prefix):
        rest = digits.removeprefix(prefix)
        # Behind a bare country code two digits prove nothing: 3315 is a French service number.
        if prefix and len(rest) > 2 and rest != digits and is_emergency(rest, plan.country, overrides):
            return rest
    return None
