"""The numbering plans of the world, from the metadata of ``phonenumbers``: which numbers can be anybody's.

Read once, when a node starts or a file of numbers is imported; the hot path sees the finished plans. Several countries
may share a calling code; a number is good when one of them has it. Leading zeros belong to a number only where the
country says so (Italy): a national prefix behind a calling code is a mistake.
"""

from functools import lru_cache

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from sipguard.policy.caller_numbers import NumberingPlan

VERSION: str = phonenumbers.__version__
_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip


@lru_cache(maxsize=1)
def numbering_plans() -> dict[str, NumberingPlan]:
    """The plans by calling code."""
    return {str(code): _plan(code, regions) for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()}


def _plan(code: int, regions: tuple[str, ...]) -> NumberingPlan:
    lengths: set[int] = set()
    patterns: dict[str, None] = {}  # in order, none twice
    for region in regions:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        if metadata is None or metadata.general_desc is None:
            continue
        lengths.update(length for length in metadata.general_desc.possible_length if length > 0)
        for kind in _KINDS:
            described = getattr(metadata, kind)
            if described is not None and described.national_number_pattern:
                patterns[described.national_number_pattern] = None
    return NumberingPlan(frozenset(lengths), "|".join(f"(?:{pattern})" for pattern in patterns))
