"""Per country: what is an emergency number, what is not, and why. ``python -m tests.policy.emergency_table FILE``
writes ``docs/emergency-numbers.md``.

The numbers themselves are the table of ``sipguard/policy/emergency_numbers.py``. It holds everything that the metadata
of ``phonenumbers`` calls an emergency number (except ``NOT_OURS``), and besides it what ``OURS`` gives a reason for.
What people confuse with emergency numbers is in ``OTHER_SERVICES``.
"""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import phonenumbers
from phonenumbers import geocoder

from sipguard.policy.emergency_numbers import CRISIS_LINE, NUMBERS, TESTS

EUROPEAN_UNION = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
EUROPEAN = (*EUROPEAN_UNION, "CH", "GB", "IS", "LI", "NO")  # where 112 is answered

# What the metadata calls an emergency number and we don't.
NOT_OURS: Mapping[str, Mapping[str, str]] = {
    "US": {"112": "mobile networks only: no carrier takes it on a trunk"},
    "CA": {"112": "mobile networks only: no carrier takes it on a trunk"},
    "BR": {"128": "the metadata covers all of 12x, most of which is not in use"},
    "BB": {"311": "information"},
    "BZ": {"990": "the fire service's office line"},
    "CZ": dict.fromkeys(("151", "152", "153", "154", "157", "159"), "not assigned, but for the gas line"),
    "IN": {"1298": "a service of some cities", "2611": "a service of one city"},
    "TO": {"933": "not an emergency number on a trunk"},
}

_FRENCH = {
    "15": "medical", "17": "police", "18": "fire", "112": "all services", "114": "for the deaf", "196": "rescue at sea",
}  # fmt: skip
_AUSTRALIAN = {"000": "all services", "106": "text telephones", "112": "from mobile telephones"}
_TEST = {"933": "tells the caller the registered address: a test, not an emergency"}

# What we call an emergency number and the metadata does not.
OURS: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("FR", "BL", "GF", "GP", "MF", "MQ", "PM", "RE", "YT"), _FRENCH),
    **dict.fromkeys(("CC", "CX", "NF"), _AUSTRALIAN),
    **dict.fromkeys(("US", "CA", "PR"), _TEST),
    "CN": {"112": "from mobile telephones", "122": "traffic accidents"},
    "GN": {"117": "police", "18": "fire"},
    "JP": {"118": "coast guard"},
    "KE": {"911": "answered as 999"},
    "NA": {"112": "from mobile telephones"},
    "NG": {"112": "all services", "767": "Lagos"},
    "PE": {"106": "medical", "911": "answered as 105"},
    "TR": {"156": "gendarmerie", "158": "coast guard", "177": "forest fires"},
    "TW": {"118": "coast guard"},
}

_HARMONISED = {"116000": "missing children", "116111": "helpline for children", "116123": "emotional support"}
_NORTH_AMERICAN = {
    "211": "community services", "311": "city services", "411": "directory", "511": "state of the roads",
    "611": "the carrier's own service", "711": "relay for the deaf",
}  # fmt: skip

# Numbers of few digits that are often taken for emergency numbers.
OTHER_SERVICES: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(EUROPEAN_UNION, _HARMONISED),
    "US": {**_NORTH_AMERICAN, "811": "before digging"},
    "CA": {**_NORTH_AMERICAN, "811": "advice on health"},
    "AR": {"144": "violence against women"},
    "AT": {**_HARMONISED, "141": "doctors on call"},
    "AU": {"131444": "police, not urgent", "131114": "crisis line", "1234": "directory"},
    "BD": {"333": "information of the government"},
    "BE": {**_HARMONISED, "107": "crisis line", "1207": "directory"},
    "BR": {"100": "human rights", "180": "violence against women", "188": "crisis line"},
    "CH": {"143": "crisis line", "147": "crisis line of the young", "1811": "directory"},
    "CN": {"114": "directory", "12345": "city services", "12315": "consumers"},
    "DE": {**_HARMONISED, "115": "authorities", "116117": "doctors on call", "116116": "blocks cards"},
    "EG": {"140": "directory"},
    "ES": {**_HARMONISED, "010": "city services", "016": "violence against women"},
    "FI": {**_HARMONISED, "116117": "advice on health"},
    "FR": {**_HARMONISED, "115": "homelessness", "119": "children in danger", "3114": "suicide prevention"},
    "GB": {"101": "police, not urgent", "105": "power cuts", "111": "health, not urgent", "116123": "crisis line"},
    "HK": {"1823": "information of the government"},
    "IN": {"1098": "helpline for children", "139": "railways"},
    "IT": {**_HARMONISED, "114": "helpline for children", "117": "finance police"},
    "JP": {"104": "directory", "117": "time", "171": "messages in disasters", "177": "weather", "189": "child abuse"},
    "KE": {"116": "helpline for children"},
    "KR": {"114": "directory", "120": "city services"},
    "MX": {"040": "directory", "089": "anonymous tips"},
    "NL": {**_HARMONISED, "113": "suicide prevention", "144": "animals"},
    "NO": {"02800": "police, not urgent", "116117": "doctors on call"},
    "NZ": {"105": "police, not urgent", "018": "directory", "1737": "counselling"},
    "SE": {**_HARMONISED, "11414": "police, not urgent", "1177": "advice on health"},
    "SG": {"1777": "ambulance, not urgent"},
    "TR": {"182": "appointments in hospitals"},
    "TW": {"113": "protection of women and children", "165": "fraud"},
    "VN": {"1080": "information"},
}

EVERYWHERE_ELSE = {
    CRISIS_LINE: "crisis line: no emergency number, and no rule stops it for what it is",
    "411": "directory",
}

_HEAD = """# Emergency numbers

Generated by `make docs`; do not edit. What a trunk's customer may dial to reach help, by the trunk's `country`, or the
country their number is registered in for emergency calls. Numbers in bold are not in the public metadata of
`phonenumbers` and are ours; `policy.emergency.numbers` adds to the table or takes away.

Each number is recognised however it is written: behind an outside-line digit (0, 8, 9), the national prefix, the
international prefix and country code, with `+`, with or without the country code after it, with separators and escapes,
as `tel:` or `sip:`, as a tel URI inside a SIP user part, with any `phone-context`, behind the code of a
telephone that hides its number (`#31#`, within +1 also `*67`, `*82`). So is `urn:service:sos` and everything below it.
In a country that has no row, 112 and 911 are recognised, as every mobile telephone does.

Not an emergency, in every country:

- 988: a crisis line. No setting makes it an emergency number, and no rule about destinations, emergencies or limits on
  calls stops it.
- a longer number that begins with an emergency number (`9115550100`, `11250`): a subscriber's, or another service
- another country's number (999 in the United States): nobody answers it there
- a name or a host (`sip:alice911@h`, `sip:911.example`), and `*911`: no dialled number

"""


def not_emergencies(country: str) -> dict[str, str]:
    """The short numbers of a country that are no emergency numbers, with the reason."""
    listed = {**EVERYWHERE_ELSE, **OTHER_SERVICES.get(country, {}), **NOT_OURS.get(country, {})}
    return {number: why for number, why in listed.items() if number not in NUMBERS[country]}


def not_in_metadata(country: str) -> set[str]:
    """Our numbers of a country that the metadata does not call emergency numbers."""
    return {number for number in NUMBERS[country] if not phonenumbers.is_emergency_number(number, country)}


@cache
def _name(country: str) -> str:
    example = phonenumbers.example_number(country)
    return (geocoder.country_name_for_number(example, "en") if example is not None else "") or country


def _emergencies(country: str) -> Iterator[str]:
    ours = not_in_metadata(country)
    for number in sorted(NUMBERS[country], key=lambda text: (len(text), text)):
        if number in ours:
            yield f"**{number}** ({OURS[country][number]})"
        else:
            yield f"{number} (test)" if number in TESTS else number


def page() -> str:
    """The page."""
    rows = ["| country | | emergency | not an emergency |", "|---|---|---|---|"]
    for country in sorted(NUMBERS):
        others = not_emergencies(country)
        shown = {number: why for number, why in others.items() if number not in EVERYWHERE_ELSE or country == "US"}
        text = ", ".join(f"{number} ({why})" for number, why in sorted(shown.items()))
        rows.append(f"| {country} | {_name(country)} | {', '.join(_emergencies(country))} | {text} |")
    return _HEAD + f"{len(NUMBERS)} countries and territories:\n\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
