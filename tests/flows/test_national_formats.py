"""National spellings of a caller's number, country by country: what is read as the account's, and what leaves.

Where national numbers may be as long as a whole number with its country code (Germany, India), the same digits without
a plus are read as a national number, and so as somebody else's.
"""

import re
from dataclasses import replace
from typing import NamedTuple

import pytest

from sipguard.config.dial_plan import dial_plan
from sipguard.policy.account import Account
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import NumberRight, RightKind
from sipguard.stir.telephone_number import DialPlan, canonicalise
from sipguard.testing.sample import CARRIER_A, PROXY, TRUNKS
from tests.flows.stage import Stage

AMERICA = DialPlan()


class Country(NamedTuple):
    """A number of this country, how its people write it, and what looks like it and is another number or none."""

    code: str
    number: str
    written: tuple[str, ...]
    others: tuple[str, ...]


COUNTRIES = (
    Country(
        "US", "14155550100",
        ("4155550100", "14155550100", "01114155550100", "0014155550100", "(415)555-0100", "1-415-555.0100"),
        ("5550100", "04155550100", "9.1.415.555.0100", "4155550101", "415555010", "41555501000"),
    ),
    Country(
        "CA", "16045550100",
        ("6045550100", "16045550100", "01116045550100", "(604)555-0100"),
        ("5550100", "06045550100", "6045550101", "604555010"),
    ),
    Country(
        "GB", "442079460018",
        ("02079460018", "2079460018", "442079460018", "00442079460018", "(020)7946-0018"),
        ("79460018", "12079460018", "+4402079460018", "02079460019", "0112079460018"),
    ),
    Country(
        "FR", "33123456789",
        ("0123456789", "123456789", "33123456789", "0033123456789", "01.23.45.67.89"),
        ("23456789", "+330123456789", "0123456780", "16123456789", "00123456789"),
    ),
    Country(
        "DE", "493012345678",
        ("03012345678", "3012345678", "00493012345678", "030-12345678", "(030)12345678"),
        ("12345678", "493012345678", "+4903012345678", "03012345679", "0303012345678"),
    ),
    Country(
        "IN", "919876543210",
        ("09876543210", "9876543210", "00919876543210", "98765-43210"),
        ("876543210", "919876543210", "+9109876543210", "09876543211", "99876543210"),
    ),
    Country(
        "BR", "5511961234567",
        ("011961234567", "11961234567", "5511961234567", "005511961234567", "(11)96123-4567"),
        ("961234567", "+55011961234567", "01511961234567", "11961234568"),
    ),
    Country(
        "AU", "61212345678",
        ("0212345678", "212345678", "61212345678", "001161212345678", "0061212345678", "(02)1234-5678"),
        ("12345678", "+610212345678", "0212345679", "01161212345678"),
    ),
)  # fmt: skip

ACCEPTED = [(country, user) for country in COUNTRIES for user in (f"+{country.number}", *country.written)]
REFUSED = [(country, user) for country in COUNTRIES for user in country.others]


def stage(country: Country) -> Stage:
    """A customer and its number in this country; the carrier reads numbers as Americans do."""
    trunks = tuple(
        replace(trunk, dial_plan=dial_plan(country.code)) if trunk.name == "acme-pbx" else trunk for trunk in TRUNKS
    )
    book = NumberBook.of(rights=[(country.number, NumberRight("acme", RightKind.OWNED))])
    account = Account("acme", path=("acme",), countries=("*",))
    return Stage(directory=Directory(accounts=[account], trunks=trunks, numbers=book))


def name(value: object) -> str | None:
    """How a case is called."""
    return value.code if isinstance(value, Country) else None


@pytest.mark.clause("policy: caller identity", "RFC 8224 8.3", "PRV-13")
@pytest.mark.parametrize(("country", "user"), ACCEPTED, ids=name)
def test_what_is_accepted_leaves_in_one_form(country: Country, user: str) -> None:
    """From and P-Asserted-Identity in a national spelling are the account's number, and leave so that all read it."""
    scene = stage(country)
    scene.call(from_value=f"<sip:{user}@192.0.2.11>", headers=(f"P-Asserted-Identity: <sip:{user}@192.0.2.11>",))
    (request,) = scene.requests_to(CARRIER_A, "INVITE")
    record = scene.record("decision")
    assert (record["calling"]["effective"], record["calling"]["from"]) == (country.number, country.number)
    for field in ("from", "p-asserted-identity"):
        left = request.required(field).partition("<sip:")[2].partition("@")[0]
        assert re.fullmatch(r"\+?[0-9]+", left)
        assert canonicalise(left, AMERICA) == country.number
    assert scene.pbx.responses[-1].required("from").startswith(f"<sip:{user}@192.0.2.11>")


@pytest.mark.clause("policy: caller identity", "RFC 8224 8.3", "PRV-13")
@pytest.mark.parametrize(("country", "user"), REFUSED, ids=name)
@pytest.mark.parametrize("field", ["from", "p-asserted-identity"])
def test_what_only_looks_like_it_is_refused(country: Country, user: str, field: str) -> None:
    """A local number, a digit off, a trunk prefix behind the country code, another country's prefixes."""
    good, bad = f"<sip:+{country.number}@192.0.2.11>", f"<sip:{user}@192.0.2.11>"
    scene = stage(country)
    scene.call(
        from_value=bad if field == "from" else good,
        headers=(f"P-Asserted-Identity: {good if field == 'from' else bad}",),
    )
    assert scene.pbx.codes == [100, 403]
    assert scene.octets_to(CARRIER_A) == []


@pytest.mark.parametrize("country", COUNTRIES, ids=name)
def test_the_called_number_leaves_in_one_form_too(country: Country) -> None:
    """A number dialled nationally is the canonical one to the carrier."""
    scene = stage(country)
    scene.call(calling=country.number, uri=f"sip:{country.written[0]}@{PROXY[0]}")
    assert scene.requests_to(CARRIER_A, "INVITE")[0].uri.startswith(f"sip:+{country.number}@")
    assert scene.record("decision")["called"]["request_uri"] == country.number


@pytest.mark.parametrize("country", COUNTRIES, ids=name)
def test_a_tel_uri_with_its_context(country: Country) -> None:
    """RFC 3966: a local number with the country as its context is the account's, with another it is not."""
    code = dial_plan(country.code).country_code
    local = country.written[0]
    for context, codes in ((code, [100, 180, 200]), ("999" if code != "999" else "1", [100, 403])):
        scene = stage(country)
        scene.call(from_value=f"<tel:{local};phone-context=+{context}>")
        assert scene.pbx.codes == codes
