"""How a country writes its numbers, from the metadata of ``phonenumbers``: the dial plan of a trunk.

Used while reading configuration and registry only; the hot path sees the finished ``DialPlan``.
"""

import phonenumbers

from sipguard.stir.telephone_number import DialPlan


def dial_plan(country: str) -> DialPlan:
    """The dial plan of an ISO 3166 alpha-2 country. Raises ValueError for a country without one."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country.upper(), None)
    if metadata is None or metadata.country_code is None:
        raise ValueError(f'"{country}" is not a country code like US or GB')
    international = metadata.preferred_international_prefix or metadata.international_prefix or "00"
    lengths = metadata.general_desc.possible_length if metadata.general_desc else ()
    return DialPlan(
        country=country.upper(),
        country_code=str(metadata.country_code),
        national_prefix=metadata.national_prefix or "",
        # Some countries have one prefix per carrier, written as a pattern; 00 is the ITU's recommendation (E.164).
        international_prefix=international if international.isascii() and international.isdigit() else "00",
        national_lengths=tuple(sorted(length for length in lengths if length > 0)),
    )
