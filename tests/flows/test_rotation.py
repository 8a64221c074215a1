"""Other caller numbers right after a refusal, and traffic that hugs a limit."""

from typing import Any

import pytest

from sipguard.policy.account import Account
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import NumberRight, RightKind
from sipguard.policy.rules import Mode
from sipguard.policy.settings import CallLimits, PolicySettings, RotationSettings
from sipguard.testing.sample import CARRIER_A, FORGED, PROXY, TRUNKS
from sipguard.traffic.hugging import HuggingSettings
from sipguard.traffic.limit import CallLimit
from tests.flows.stage import Stage, refusing

RULE = "caller-id.rotation"
OWN = [f"1415555010{digit}" for digit in range(10)]
SPAM = ("reason", 'Q.850;cause=21;text="v=analytics1"')


def stage(mode: Mode = Mode.REPORT, carrier: Any = None, rotation: RotationSettings | None = None) -> Stage:
    """The sample with ten numbers of acme."""
    rights = [(number, NumberRight("acme", RightKind.OWNED)) for number in OWN]
    accounts = [Account("acme", path=("acme",))]
    return Stage(
        directory=Directory(accounts=accounts, trunks=TRUNKS, numbers=NumberBook.of(rights=rights)),
        policy=PolicySettings(modes={RULE: mode}, rotation=rotation or RotationSettings()),
        scripts={} if carrier is None else {"carrier-a": carrier},
    )


def decisions(scene: Stage) -> list[tuple[str, list[str]]]:
    """What was decided of each call, and what was only reported."""
    records = [record for record in scene.network.records if record["event"] == "decision"]
    return [(record.get("rule", record["decision"]), record.get("reported", [])) for record in records]


def calls(scene: Stage, *callers: str, seconds: float = 2.0, **changes: Any) -> None:
    """One call after the other, under these numbers."""
    already = len(decisions(scene))
    for number, caller in enumerate(callers, already):
        scene.call(seconds, calling=caller, call_id=f"call-{number}@sample", **changes)


@pytest.mark.clause("policy: evading filters")
def test_other_numbers_right_after_a_refusal_are_reported() -> None:
    """A forged number is refused; with the third number at the same callee the rule matches."""
    scene = stage()
    calls(scene, FORGED, OWN[0], OWN[1], OWN[1])
    assert decisions(scene) == [
        ("caller-id.not-owned", []), ("forward", []), ("forward", [RULE]), ("forward", [RULE]),
    ]  # fmt: skip


@pytest.mark.clause("policy: evading filters", "BLK-01")
def test_in_block_they_hear_603() -> None:
    """A judgement of behaviour is answered as one, and each answer keeps the watch open."""
    scene = stage(Mode.BLOCK)
    calls(scene, FORGED, OWN[0], OWN[1])
    assert decisions(scene)[-1] == (RULE, [])
    assert (scene.pbx.responses[-1].code, scene.pbx.responses[-1].reason) == (603, "Network Blocked")
    calls(scene, OWN[2], seconds=59.0)
    calls(scene, OWN[3])
    assert decisions(scene)[-1] == (RULE, [])
    scene.network.run(61.0)
    calls(scene, OWN[4])
    assert decisions(scene)[-1] == ("forward", [])
    scene.settle()


@pytest.mark.clause("policy: evading filters")
@pytest.mark.parametrize(
    ("code", "headers", "matched"),
    [(603, (SPAM,), True), (607, (), True), (608, (), True), (603, (), False), (486, (), False)],
)
def test_a_carriers_block_begins_it_too(code: int, headers: tuple[tuple[str, str], ...], matched: bool) -> None:
    """What a carrier's analytics refuse, not what a person declines."""
    scene = stage(carrier=refusing(code, *headers))
    calls(scene, OWN[0], OWN[1], OWN[2])
    assert decisions(scene)[-1] == ("forward", [RULE] if matched else [])


def test_the_same_number_again_is_no_rotation() -> None:
    """Persistence is another matter."""
    scene = stage()
    calls(scene, FORGED, FORGED, FORGED, OWN[0])
    assert decisions(scene)[-1] == ("forward", [])


def test_another_callee_is_no_rotation() -> None:
    """It is about getting through to one number."""
    scene = stage()
    calls(scene, FORGED)
    for number, caller in enumerate(OWN[:4], 1):
        scene.call(calling=caller, called=f"1212555014{number}", call_id=f"call-{number}@sample")
    assert all(reported == [] for _, reported in decisions(scene))


@pytest.mark.clause("policy: evading filters")
@pytest.mark.parametrize("field", ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"])
def test_anonymous_callers_have_numbers_too(field: str) -> None:
    """Whoever hides From and changes the number beside it is changing numbers."""
    scene = stage()
    calls(scene, FORGED)
    for number, caller in enumerate(OWN[:2], 1):
        hidden = {"from_value": "<sip:anonymous@anonymous.invalid>", "headers": (f"{field}: <sip:+{caller}@pbx>",)}
        scene.call(call_id=f"call-{number}@sample", **hidden)
    assert decisions(scene) == [("caller-id.not-owned", []), ("forward", []), ("forward", [RULE])]


def test_our_own_lack_of_a_route_begins_nothing() -> None:
    """A refusal that no other number would avoid."""
    scene = stage()
    scene.sample.directory._egress = dict.fromkeys(scene.sample.directory._egress, ())
    calls(scene, *OWN[:4])
    assert {rule for rule, _ in decisions(scene)} == {"destination.no-route"}
    assert not scene.sample.view.rotation


@pytest.mark.clause("EMG-04", "policy: evading filters")
def test_calls_for_help_enter_nothing() -> None:
    """A refused emergency call begins no watch, and one that follows a refusal is not counted."""
    scene = stage(Mode.BLOCK)
    calls(scene, *OWN[:4], uri=f"sip:911@{PROXY[0]};user=phone")
    assert {rule for rule, _ in decisions(scene)} == {"emergency.unprovisioned"}
    assert not scene.sample.view.rotation


def test_it_can_be_switched_off() -> None:
    """Without a window nothing is remembered."""
    scene = stage(rotation=RotationSettings(window=0))
    calls(scene, FORGED, *OWN[:4])
    assert not scene.sample.view.rotation


@pytest.mark.clause("policy: evading filters")
def test_traffic_that_hugs_a_limit_is_on_record() -> None:
    """Six calls a minute of six that are allowed, for three minutes: reported from then on, and never refused."""
    limits = CallLimits(account=CallLimit(rate=0.1, burst=2), hugging=HuggingSettings(windows=3))
    scene = Stage(policy=PolicySettings(limits=limits))
    for number in range(30):
        scene.call(10.0, call_id=f"call-{number}@sample")
    found = decisions(scene)
    assert {rule for rule, _ in found} == {"forward"}
    matched = [index for index, (_, reported) in enumerate(found) if reported == ["limit.hugging"]]
    assert matched == list(range(matched[0], 30))
    assert 18 <= matched[0] <= 24
    assert len(scene.octets_to(CARRIER_A)) > 30


@pytest.mark.clause("policy: evading filters")
def test_a_reseller_whose_customers_keep_at_its_limit_together() -> None:
    """The limit of an account above counts too, and the detail says whose it is."""
    limits = CallLimits(accounts={"reseller": CallLimit(rate=0.1, burst=2)}, hugging=HuggingSettings(windows=3))
    rights = [(OWN[0], NumberRight("acme", RightKind.OWNED))]
    accounts = [Account("reseller", path=("reseller",)), Account("acme", path=("reseller", "acme"))]
    scene = Stage(
        directory=Directory(accounts=accounts, trunks=TRUNKS, numbers=NumberBook.of(rights=rights)),
        policy=PolicySettings(limits=limits, modes={"limit.hugging": Mode.BLOCK}),
    )
    for number in range(25):
        scene.call(10.0, calling=OWN[0], call_id=f"call-{number}@sample")
    record = [record for record in scene.network.records if record["event"] == "decision"][-1]
    assert (record["rule"], record["code"]) == ("limit.hugging", 603)
    assert record["detail"].startswith("account reseller and those below it kept at the limit for ")


def test_traffic_below_the_limit_is_not() -> None:
    """Four a minute of six."""
    limits = CallLimits(account=CallLimit(rate=0.1, burst=2), hugging=HuggingSettings(windows=3))
    scene = Stage(policy=PolicySettings(limits=limits))
    for number in range(20):
        scene.call(15.0, call_id=f"call-{number}@sample")
    assert {(rule, *reported) for rule, reported in decisions(scene)} == {("forward",)}


def test_who_keeps_at_its_limit_may_call_the_crisis_line() -> None:
    """In mode block too, 988 is stopped by no limit."""
    limits = CallLimits(account=CallLimit(rate=0.1, burst=2), hugging=HuggingSettings(windows=3))
    scene = Stage(policy=PolicySettings(limits=limits, modes={"limit.hugging": Mode.BLOCK}))
    for number in range(30):
        scene.call(10.0, call_id=f"call-{number}@sample")
    assert scene.pbx.codes[-1] == 603
    scene.call(uri=f"sip:988@{PROXY[0]}", called="988", call_id="help@sample")
    assert scene.pbx.codes[-1] == 200
