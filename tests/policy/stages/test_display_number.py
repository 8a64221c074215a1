"""The display-number stage: names that show another number."""

import pytest

from sipguard.policy.finding import CallerIdentity, Emergency, Refusal
from sipguard.policy.right import RightKind
from sipguard.policy.stages.display_number import examine
from tests.policy.kit import OWNED, VERIFIED, call_of, invite, view_of


def shown(display, *headers, replaced=None, asserted=(), emergency=None):
    """What the stage finds of a call that is shown under this name; text is sent as UTF-8."""
    from_ = f'"{display}" <sip:+{OWNED}@pbx>' if display else f"<sip:+{OWNED}@pbx>"
    call = call_of(invite("sip:+14155550150@p", from_.encode().decode("latin-1"), None, *headers))
    call.identity = CallerIdentity(OWNED, OWNED, asserted, RightKind.OWNED, replaced=replaced)
    call.emergency = emergency
    return examine(call, view_of())


@pytest.mark.clause("policy: caller identity")
@pytest.mark.parametrize(
    "display",
    [
        "+1 202 555 0100", "2025550100", "Tax office 202-555-0100", "(202) 555.0100", "12025550100",
        f"+{OWNED} or +1 202 555 0100", "＋１２０２５５５０１００", "٢٠٢٥٥٥٠١٠٠", "555-0100",
        "+1 202–555–0100", "202‑555‑0100", "202\u00a0555\u00a00100", "202\u200b555\u200b0100", "202·555·0100",
        "202−555−0100", "2️⃣0️⃣2️⃣5️⃣5️⃣5️⃣0️⃣1️⃣0️⃣0️⃣", "202_555_0100", "202,555,0100", "202\t555\t0100", "20\u20002.55*50'100",
    ],
)  # fmt: skip
def test_a_name_that_shows_another_number(display):
    """However it is written, in digits of any script, with separators of any kind or none that is seen."""
    finding = shown(display)
    assert isinstance(finding, Refusal)
    assert finding.rule == "caller-id.display-number"


@pytest.mark.parametrize(
    "display", ["", "Alice", f"+{OWNED}", "(415) 555-0100", "4155550100", "Room 4711", "since 1999", "Alice 12-34"]
)
def test_other_names_pass(display):
    """No number, the caller's own, or one too short to be taken for a telephone number."""
    assert shown(display) is None


def test_a_number_that_is_presented_beside_it_may_be_shown():
    """The other number of the same call was checked as well."""
    assert isinstance(shown(f"+{VERIFIED}"), Refusal)
    assert shown(f"+{VERIFIED}", asserted=(VERIFIED,)) is None


def test_separators_of_latin_1():
    """A display that knows no UTF-8 shows a space where that finds no character."""
    call = call_of(invite("sip:+14155550150@p", f'"202\xa0555\xa00100" <sip:+{OWNED}@pbx>'))
    call.identity = CallerIdentity(OWNED, OWNED, (), RightKind.OWNED)
    assert isinstance(examine(call, view_of()), Refusal)


@pytest.mark.parametrize("field", ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"])
def test_every_field_that_names_the_caller_is_looked_at(field):
    """An unreadable one is for others."""
    assert isinstance(shown("Alice", f'{field}: "+1 202 555 0100" <sip:+{OWNED}@pbx>'), Refusal)
    assert shown("Alice", f"{field}: <<<") is None


def test_a_name_that_is_replaced_with_its_number_is_no_matter():
    """Nothing of it leaves, because the trunk replaces."""
    assert shown("+1 202 555 0100", replaced=VERIFIED) is None


@pytest.mark.clause("EMG-04")
def test_an_emergency_call_is_not_asked_for_its_name():
    """Nobody in need is refused for a name."""
    assert shown("+1 202 555 0100", emergency=Emergency("911", None)) is None
