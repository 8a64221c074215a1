"""The caller identity stage: who may claim to be whom, however it is written."""

from dataclasses import replace

import pytest

from sipguard.policy.finding import CallerIdentity, Emergency, Refusal
from sipguard.policy.right import NumberRight, RightKind
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.caller_identity import examine
from sipguard.policy.trunk import OnMismatch
from tests.policy.kit import (
    CUSTOMER,
    DELEGATED,
    EXPIRED,
    FOREIGN,
    FRANCE,
    OWNED,
    PARENTS,
    VERIFIED,
    call_of,
    directory,
    invite,
    view_of,
)

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
NAMED = "<sip:alice@pbx.example>"


def from_number(number):
    """A From with this user part."""
    return f"<sip:{number}@pbx.example>"


def asserted(*uris, field="P-Asserted-Identity"):
    """An identity header row."""
    return f"{field}: " + ", ".join(f"<{uri}>" for uri in uris)


def examined(from_, *headers, trunk=CUSTOMER, policy=None, emergency=None, view=None):
    """What the stage says about a call with this From and these identity headers."""
    call = call_of(invite("sip:+14155550150@p", from_, None, *headers), trunk=trunk)
    call.emergency = emergency
    return examine(call, view or view_of(policy=policy or PolicySettings()))


def refused(finding, rule):
    """Whether the finding is a refusal by this rule."""
    return isinstance(finding, Refusal) and finding.rule == rule


@pytest.mark.clause("AS-01", "AS-22", "ATIS-1000074 5.2.3")
@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (OWNED, RightKind.OWNED),
        (VERIFIED, RightKind.VERIFIED),
        (DELEGATED, RightKind.DELEGATED),
        (PARENTS, RightKind.OWNED),
    ],
)
def test_a_number_the_account_may_use_passes_with_its_right(number, kind):
    """An owned, verified or delegated number, or one of the account above, passes and says which right it was."""
    finding = examined(from_number(f"+{number}"))
    assert isinstance(finding, CallerIdentity)
    assert finding.effective == number
    assert finding.right is kind


@pytest.mark.clause("RFC 8224 8.3", "PRV-13", "PRV-16", "PRV-17", "PRV-18")
@pytest.mark.parametrize(
    "user",
    [
        "+14155550100", "14155550100", "4155550100", "+1-415-555-0100", "(415)555.0100", "%2B14155550100",
        "+1%34155550100", "+14155550100;npdi;rn=+14155559999", "+14155550100;ext=7",
        "+14155550100;tgrp=x;trunk-context=y",
        "+14155550100;verstat=TN-Validation-Passed", "01114155550100",
    ],
)  # fmt: skip
def test_every_spelling_of_an_owned_number_is_the_owned_number(user):
    """Separators, escapes, national and international forms and tel parameters do not change whose number it is."""
    finding = examined(from_number(user))
    assert isinstance(finding, CallerIdentity)
    assert finding.effective == OWNED


@pytest.mark.clause("RFC 8224 8.3", "PRV-15")
@pytest.mark.parametrize(
    "user",
    [
        "+14155550199", "14155550199", "4155550199", "+1-415-555-0199", "%2B14155550199", "+1415555019%39",
        "01114155550199", "2001", "911", "+4930123456", "+1415555010", "+141555501000", "*67",
        "4155550100;phone-context=+44",
    ],
)  # fmt: skip
def test_no_spelling_of_a_foreign_number_passes(user):
    """A number the account has no right to is refused however it is written."""
    assert refused(examined(from_number(user)), "caller-id.not-owned")


@pytest.mark.clause("AS-01")
@pytest.mark.parametrize(
    "user",
    ["+1415555O100", "+14155550100x", "1415555%EF%BC%91100", "++14155550100", "+04155550100", "14155550100%20", "(x"],
)
def test_a_number_in_disguise_is_refused(user):
    """What starts like a number and cannot be read as one is refused, even beside an owned asserted number."""
    assert refused(examined(from_number(user), asserted(f"sip:+{OWNED}@x")), "caller-id.not-owned")


def test_an_expired_right_is_none():
    """A right that has expired gives no right."""
    assert refused(examined(from_number(f"+{EXPIRED}")), "caller-id.not-owned")


def test_the_refusal_says_which_number_and_account():
    """The detail is what the customer's engineer needs to read."""
    finding = examined(from_number(f"+{FOREIGN}"))
    assert finding == Refusal("caller-id.not-owned", f"From +{FOREIGN} is not assigned to account acme")


@pytest.mark.clause("AS-23", "RFC 3325 9.1")
@pytest.mark.parametrize("field", ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"])
@pytest.mark.parametrize("uri", [f"sip:+{FOREIGN}@x;user=phone", f"tel:+{FOREIGN}", "sip:+1-415-555-0199@x"])
def test_a_forged_asserted_number_beside_an_owned_from_is_refused(field, uri):
    """Each identity header is held to the same right as From."""
    finding = examined(from_number(f"+{OWNED}"), asserted(uri, field=field))
    assert refused(finding, "caller-id.asserted-not-owned")


def test_a_forged_from_beside_an_owned_asserted_number_is_refused():
    """An owned asserted number does not excuse a foreign From."""
    assert refused(examined(from_number(f"+{FOREIGN}"), asserted(f"sip:+{OWNED}@x")), "caller-id.not-owned")


def test_the_second_asserted_value_is_held_to_the_same_right():
    """A foreign tel value behind an owned sip value is refused."""
    finding = examined(from_number(f"+{OWNED}"), asserted(f"sip:+{OWNED}@x", f"tel:+{FOREIGN}"))
    assert refused(finding, "caller-id.asserted-not-owned")


@pytest.mark.clause("PRV-05", "RFC 3325 9.1")
@pytest.mark.parametrize("rows", [1, 3])
def test_more_than_two_asserted_values_are_refused(rows):
    """Three values are invalid, in one row or in three."""
    uri = f"sip:+{OWNED}@x"
    headers = [asserted(uri, uri, uri)] if rows == 1 else [asserted(uri)] * 3
    assert refused(examined(from_number(f"+{OWNED}"), *headers), "caller-id.asserted-not-owned")


@pytest.mark.clause("AS-23")
def test_both_forms_of_one_asserted_number_are_one_identity():
    """A sip and a tel value of the same number present it once."""
    finding = examined(from_number(f"+{OWNED}"), asserted(f"sip:+{OWNED}@x", f"tel:+{OWNED}"))
    assert isinstance(finding, CallerIdentity)
    assert finding.asserted == (OWNED,)


@pytest.mark.parametrize("value", ["<<broken", "", '"open <sip:+14155550100@x>', "<sip:%zz@x>", "<sip:@>", ","])
@pytest.mark.parametrize("field", ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"])
def test_an_identity_header_that_cannot_be_read_is_refused(field, value):
    """What cannot be checked is not passed on."""
    assert refused(examined(from_number(f"+{OWNED}"), f"{field}: {value}"), "caller-id.asserted-not-owned")


@pytest.mark.parametrize("uri", ["sip:alice@x", "sip:+1415555O100@x", "tel:+1abc", "mailto:+14155550100@x"])
def test_an_asserted_identity_that_is_no_number_is_refused(uri):
    """A name or a number in disguise in P-Asserted-Identity cannot be one the account has a right to."""
    assert refused(examined(from_number(f"+{OWNED}"), asserted(uri)), "caller-id.asserted-not-owned")


def test_a_from_that_cannot_be_read_is_refused():
    """A From whose URI is broken presents nothing that could be checked."""
    assert refused(examined("<sip:%zz@x>"), "caller-id.not-owned")


@pytest.mark.clause("AS-23")
def test_the_asserted_number_is_the_effective_one():
    """By default the call is signed under P-Asserted-Identity when From differs and both are authorised."""
    finding = examined(from_number(f"+{OWNED}"), asserted(f"tel:+{DELEGATED}"))
    assert isinstance(finding, CallerIdentity)
    assert (finding.effective, finding.from_tn, finding.right) == (DELEGATED, OWNED, RightKind.DELEGATED)


def test_the_precedence_is_configurable():
    """With From first, the call is signed under From; the other fields are checked all the same."""
    policy = PolicySettings(precedence=("from", "p-asserted-identity"))
    finding = examined(from_number(f"+{OWNED}"), asserted(f"tel:+{DELEGATED}"), policy=policy)
    assert isinstance(finding, CallerIdentity)
    assert finding.effective == OWNED
    forged = asserted(f"tel:+{FOREIGN}", field="Remote-Party-ID")
    assert refused(examined(from_number(f"+{OWNED}"), forged, policy=policy), "caller-id.asserted-not-owned")


@pytest.mark.parametrize("field", ["P-Preferred-Identity", "Remote-Party-ID"])
def test_older_fields_serve_when_no_number_is_asserted(field):
    """P-Preferred-Identity and Remote-Party-ID are next in the precedence."""
    finding = examined(from_number(f"+{OWNED}"), asserted(f"sip:+{DELEGATED}@x", field=field))
    assert isinstance(finding, CallerIdentity)
    assert finding.effective == DELEGATED


def test_a_remote_party_id_about_the_called_party_says_nothing_about_the_caller():
    """Only the calling party of Remote-Party-ID is an identity of the caller."""
    finding = examined(from_number(f"+{OWNED}"), f"Remote-Party-ID: <sip:+{FOREIGN}@x>;party=called;screen=yes")
    assert isinstance(finding, CallerIdentity)
    assert finding.effective == OWNED


@pytest.mark.clause("PRV-12", "RFC 3323 4.1.1.3")
@pytest.mark.parametrize(
    "from_",
    [
        ANONYMOUS, "<sip:anonymous@pbx.example>", "<sip:Restricted@pbx.example>", "<sip:unavailable@pbx.example>",
        "Anonymous <sip:c8oqz84zk7z@privacy.example>", "<sip:+14155550199@anonymous.invalid>",
    ],
)  # fmt: skip
def test_an_anonymous_caller_is_who_it_asserts_to_be(from_):
    """An anonymous From with an owned asserted number passes under that number."""
    finding = examined(from_, asserted(f"sip:+{OWNED}@x"), "Privacy: id")
    assert isinstance(finding, CallerIdentity)
    assert finding.anonymous
    assert (finding.effective, finding.from_tn) == (OWNED, None)


@pytest.mark.clause("PRV-12", "AS-24")
@pytest.mark.parametrize("from_", [ANONYMOUS, NAMED])
def test_nobody_at_all_is_refused(from_):
    """An anonymous caller, or a name, without any asserted number is refused."""
    assert refused(examined(from_), "caller-id.missing")


def test_an_anonymous_asserted_identity_is_no_number():
    """An anonymous P-Asserted-Identity asserts nothing, and is not held against the caller either."""
    assert refused(examined(ANONYMOUS, asserted("sip:anonymous@anonymous.invalid")), "caller-id.missing")


def test_an_anonymous_caller_with_a_forged_asserted_number_is_refused():
    """Anonymity does not excuse a foreign number."""
    assert refused(examined(ANONYMOUS, asserted(f"sip:+{FOREIGN}@x")), "caller-id.asserted-not-owned")


def test_an_anonymous_display_name_over_a_foreign_number_is_refused():
    """A number in the From URI is presented, whatever the display name says."""
    assert refused(examined(f"Anonymous <sip:+{FOREIGN}@x>", asserted(f"sip:+{OWNED}@x")), "caller-id.not-owned")


@pytest.mark.clause("AS-24")
def test_a_name_with_an_owned_asserted_number_passes():
    """A From without a number is no number to check; the asserted one identifies the caller."""
    finding = examined(NAMED, asserted(f"sip:+{OWNED}@x"))
    assert isinstance(finding, CallerIdentity)
    assert (finding.effective, finding.anonymous) == (OWNED, False)


def test_the_end_user_of_the_number_is_known():
    """The number's end user goes on record."""
    finding = examined(from_number(f"+{OWNED}"))
    assert isinstance(finding, CallerIdentity)
    assert finding.end_user == "acme/sales"


def test_replace_puts_the_trunks_number_in_place():
    """A refused number is replaced by the trunk's own, and both are known to the record."""
    trunk = replace(CUSTOMER, on_mismatch=OnMismatch.REPLACE)
    finding = examined(from_number(f"+{FOREIGN}"), trunk=trunk)
    assert isinstance(finding, CallerIdentity)
    assert (finding.effective, finding.replaced, finding.from_tn) == (OWNED, OWNED, FOREIGN)
    assert finding.right is RightKind.OWNED


@pytest.mark.parametrize("default", [None, FOREIGN])
def test_replace_needs_a_number_the_account_may_use(default):
    """Without a usable number to put in place the call is refused."""
    trunk = replace(CUSTOMER, on_mismatch=OnMismatch.REPLACE, default_number=default)
    assert refused(examined(from_number(f"+{FOREIGN}"), trunk=trunk), "caller-id.not-owned")


@pytest.mark.clause("AS-01")
@pytest.mark.parametrize("choice", [OnMismatch.DOWNGRADE, OnMismatch.REPORT])
def test_downgrade_and_report_let_the_number_go_without_a_right(choice):
    """The call goes on under the number it presents, with no right to it on record."""
    finding = examined(from_number(f"+{FOREIGN}"), trunk=replace(CUSTOMER, on_mismatch=choice))
    assert isinstance(finding, CallerIdentity)
    assert (finding.effective, finding.right) == (FOREIGN, None)
    assert finding.trail() == ("pass", "no-right", "caller-id.not-owned")


@pytest.mark.parametrize("choice", [OnMismatch.DOWNGRADE, OnMismatch.REPORT, OnMismatch.REPLACE])
def test_a_broken_identity_header_is_refused_whatever_the_trunk_says(choice):
    """on_mismatch is about numbers; what cannot be read is not passed on."""
    finding = examined(from_number(f"+{OWNED}"), "P-Asserted-Identity: <<", trunk=replace(CUSTOMER, on_mismatch=choice))
    assert refused(finding, "caller-id.asserted-not-owned")


def test_a_rule_in_report_lets_the_call_go_without_a_right():
    """A dry run forwards the call, but never as one with a right to its number."""
    policy = PolicySettings(modes={"caller-id.not-owned": Mode.REPORT})
    finding = examined(from_number(f"+{FOREIGN}"), policy=policy)
    assert isinstance(finding, CallerIdentity)
    assert finding.right is None


@pytest.mark.clause("EMG-12")
def test_an_emergency_call_keeps_its_number():
    """The call-back number of an emergency call is never replaced."""
    trunk = replace(CUSTOMER, on_mismatch=OnMismatch.REPLACE)
    finding = examined(from_number(f"+{FOREIGN}"), trunk=trunk, emergency=Emergency("911", None))
    assert refused(finding, "caller-id.not-owned")


@pytest.mark.clause("BLK-16")
def test_the_dial_plan_reads_national_numbers():
    """A French national number is the canonical one on a trunk with a French dial plan, and another one elsewhere."""
    paris = ("33140000000", NumberRight("acme", RightKind.OWNED))
    view = view_of(directory=directory(rights=(paris,)))
    trunk = replace(CUSTOMER, dial_plan=FRANCE)
    finding = examined(from_number("0140000000"), trunk=trunk, view=view)
    assert isinstance(finding, CallerIdentity)
    assert finding.effective == "33140000000"
    assert refused(examined(from_number("0140000000"), view=view), "caller-id.not-owned")


def test_without_an_account_nobody_has_a_right():
    """A call that only goes on because it is measured has no authorised number."""
    call = call_of(account=None)
    assert refused(examine(call, view_of()), "caller-id.not-owned")
