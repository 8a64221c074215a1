"""The display-name stage: protected names."""

import pytest

from sipguard.policy.finding import Emergency, Refusal
from sipguard.policy.protected_names import ProtectedNames
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.display_name import examine
from tests.policy.kit import OWNED, call_of, invite, view_of

PROTECTED = PolicySettings(protected_names=ProtectedNames(["Internal Revenue Service", "ACME Bank", "Crédit Île"]))


def shown(display, *headers, policy=PROTECTED):
    """What the stage finds of a call that is shown under this name; text is sent as UTF-8."""
    from_ = f'"{display}" <sip:+{OWNED}@pbx>' if display else f"<sip:+{OWNED}@pbx>"
    call = call_of(invite("sip:+14155550150@p", from_.encode().decode("latin-1"), None, *headers))
    return call, examine(call, view_of(policy=policy))


@pytest.mark.parametrize(
    "display",
    [
        "Internal Revenue Service", "INTERNAL REVENUE SERVICE", "internal  revenue-service",
        "I.n.t.e.r.n.a.l Revenue Service", "The Internal Revenue Service (IRS)", "Internal Revenue Serv1ce",
        "lnternal Revenue Service", "Intеrnаl Rеvеnuе Sеrviсе",
        "ＡＣＭＥ　Ｂａｎｋ", "Acme B@nk", "credit ile", "CRÉDIT ÎLE",
    ],
)  # fmt: skip
def test_a_protected_name_is_known_by_its_looks(display):
    """Case, spaces, signs, accents, wide and look-alike letters hide no protected name."""
    _, finding = shown(display)
    assert isinstance(finding, Refusal)
    assert finding.rule == "caller-id.impersonation"


@pytest.mark.parametrize("display", ["", "Alice", "Revenue Service", "Bank of Acme", "\\xff", "O'Neil & Sons"])
def test_other_names_pass(display):
    """No name, and names that are not protected."""
    assert shown(display)[1] is None


@pytest.mark.parametrize("field", ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"])
def test_every_field_that_names_the_caller_is_looked_at(field):
    """A protected name in an asserted identity is none less."""
    _, finding = shown("Alice", f'{field}: "Internal Revenue Service" <sip:+{OWNED}@pbx>')
    assert isinstance(finding, Refusal)


def test_a_field_that_cannot_be_read_is_for_others():
    """An unreadable asserted identity does not stop this stage."""
    assert shown("Alice", "P-Asserted-Identity: <<<")[1] is None


def test_without_protected_names_nothing_is_read():
    """The list is empty by default."""
    assert shown("Internal Revenue Service", policy=PolicySettings())[1] is None


def test_an_emergency_call_is_not_asked_for_its_name():
    """Nobody in need is refused for a name."""
    call, finding = shown("Internal Revenue Service")
    assert finding is not None
    call.emergency = Emergency("911", None)
    assert examine(call, view_of(policy=PROTECTED)) is None
