"""A node put together from configuration, files and registry."""

import time
import tomllib
from pathlib import Path

import pytest

from sipguard.config import Configuration, parse
from sipguard.errors import ConfigurationError
from sipguard.policy.account import AccountState
from sipguard.policy.rules import Mode
from sipguard.policy.trunk import TrafficClass
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.registry.trunks import trunk_of
from sipguard.runtime.composition import Node, build, chains_on_disk
from sipguard.runtime.disk_cache import Stored
from sipguard.sip.flow import Listener
from sipguard.stir.certificate import Credential
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.policy_administrator import issue_trust_list, make_administrator
from sipguard.testing.sti_ca import DAY, Shape, StiCa

NOW = UnixTime(int(time.time()))

TEXT = """
[node]
name = "edge-1"
[[listener]]
transport = "udp"
bind = "0.0.0.0:5060"
advertise = "198.51.100.10:5070"
[[listener]]
transport = "tcp"
bind = "[::1]:5060"
[[trunk]]
name = "pbx"
side = "customer"
account = "acme"
sources = ["203.0.113.5"]
[[trunk]]
name = "carrier"
side = "network"
targets = ["sip:192.0.2.20:5060"]
[stir.sign]
outage = "refuse"
[stir.sign.certificates.default]
certificate = "leaf.pem"
key = "leaf.key"
url = "https://certificates.example/leaf.pem"
[stir.verify]
anchors = "anchors.pem"
fetch_timeout = 3.0
allow_private_hosts = ["LOCALHOST", "[::1]"]
on_failure = "reject"
[policy]
revision = "r1"
rules."robodial.tag".mode = "tag"
[timers]
t1 = 0.25
"""


def files(directory: Path, shape: Shape | None = None) -> StiCa:
    """Certificate, key and trust anchors, and a registry with the account."""
    authority = StiCa.create(NOW)
    leaf = authority.issue(shape)
    (directory / "leaf.pem").write_bytes(leaf.chain_pem)
    (directory / "leaf.key").write_bytes(leaf.key_pem)
    (directory / "leaf.key").chmod(0o600)
    (directory / "anchors.pem").write_bytes(authority.anchors_pem)
    registry = registry_of(directory)
    if not registry.accounts.list():
        registry.accounts.add(AccountEntry("acme"))
    return authority


def registry_of(directory: Path) -> Registry:
    """The node's registry."""
    return Registry(f"sqlite:///{directory}/var/registry.db")


def configured(directory: Path, text: str = TEXT) -> Configuration:
    """The configuration, as if its file were in the directory."""
    return parse(tomllib.loads(text), directory)


def problems(directory: Path, text: str = TEXT, previous: Node | None = None) -> dict[str, str]:
    """What keeps the node from being built, by key."""
    with pytest.raises(ConfigurationError) as caught:
        build(configured(directory, text), previous)
    return dict(caught.value.problems)


def test_node(tmp_path: Path) -> None:
    """Everything in the configuration arrives where the engine reads it."""
    files(tmp_path)
    node = build(configured(tmp_path))
    assert node.listeners == (
        Listener(0, "udp", "0.0.0.0", 5060, "198.51.100.10", 5070),
        Listener(1, "tcp", "::1", 5060, "[::1]", 5060),
    )
    assert (node.settings.node, node.settings.timers.t1, len(node.settings.record_route_secret)) == ("edge-1", 0.25, 32)
    assert node.settings.need_timeout > 3.0
    view = node.view
    assert (view.policy.revision, view.policy.sign_outage, view.policy.verify_on_failure) == ("r1", "refuse", "reject")
    assert view.policy.mode("robodial.tag") is Mode.TAG
    assert [signer.spc for signer in view.signers["default"].signers] == ["1234"]
    assert len(view.verification.anchors) == 1
    assert view.verification.settings.x5u.allow_private_hosts == {"localhost", "::1"}
    assert [trunk.name for trunk in view.directory.egress(TrafficClass.CONVERSATIONAL)] == ["carrier"]


def test_secrets_survive(tmp_path: Path) -> None:
    """A restart keeps the dialog secret and the origids; another node has others."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files(tmp_path / name)
    first, again, other = (build(configured(tmp_path / name)) for name in ("a", "a", "b"))
    assert again.settings.record_route_secret == first.settings.record_route_secret
    assert other.settings.record_route_secret != first.settings.record_route_secret
    assert again.view.origids.of("acme", "dialer") == first.view.origids.of("acme", "dialer")
    assert other.view.origids.of("acme", "dialer") != first.view.origids.of("acme", "dialer")
    assert first.settings.record_route_secret.hex() not in first.view.origids.of("acme", "dialer")


def test_reload_keeps_what_was_learnt(tmp_path: Path) -> None:
    """A reload reads the registry again and keeps certificates, seen signatures and call statistics."""
    files(tmp_path)
    before = build(configured(tmp_path))
    registry_of(tmp_path).accounts.change("acme", state="suspended")
    after = build(configured(tmp_path, TEXT + "[robodial]\nminimum_attempts = 20\n"), before)
    assert after.view.directory.accounts["acme"].state is AccountState.SUSPENDED
    assert before.view.directory.accounts["acme"].state is AccountState.ACTIVE
    assert after.view.certificates is before.view.certificates
    assert after.view.verification is before.view.verification
    assert after.view.traffic is before.view.traffic
    assert after.view.traffic.profile.minimum_attempts == 20


def test_limits_and_scanners(tmp_path: Path) -> None:
    """Limits and thresholds arrive where stages read them; a reload keeps what was used, under the new bound."""
    files(tmp_path)
    text = TEXT.replace("t1 = 0.25", "t1 = 0.25\nmax_call_duration = 600")
    text += "[policy.forwarding]\nforwards = 2\n[scanners]\nusers = 7\n[limits.calls.accounts.acme]\nconcurrent = 30\n"
    node = build(configured(tmp_path, text))
    assert node.settings.max_call_duration == 600.0
    assert node.view.policy.scanners.users == 7
    assert (node.view.policy.forwarding.forwards, node.view.policy.forwarding.window) == (2, 180.0)
    assert node.view.policy.limits.accounts["acme"].concurrent == 30
    bounds = "[limits.calls]\nremembered = 2000\n[policy.forwarding]\nremembered = 300\n"
    after = build(configured(tmp_path, TEXT + bounds), node)
    assert after.view.usage is node.view.usage
    assert after.view.usage.rates.capacity == after.view.usage.near.capacity == 2000
    assert after.view.rotation is node.view.rotation
    assert after.view.delivered is node.view.delivered
    assert after.view.delivered.capacity == 300
    assert problems(tmp_path, text.replace("accounts.acme", "accounts.acmee")) == {
        "limits.calls.accounts.acmee": 'the registry has no account "acmee" (did you mean "acme"?)'
    }


@pytest.mark.clause("policy: destinations")
def test_when_and_how_often_people_are_called(tmp_path: Path) -> None:
    """The figures arrive, with the zones of numbers; a reload keeps what was counted, under the new bound."""
    files(tmp_path)
    text = TEXT + '[policy.hours]\nopens = "09:00"\n[policy.repeated]\ncalls = 2\nremembered = 5000\n'
    node = build(configured(tmp_path, text))
    assert (node.view.policy.hours.opens, node.view.policy.repeated.calls) == (540, 2)
    assert [str(zone) for zone in node.view.zones(TN("14155550100"))] == ["America/Los_Angeles"]
    node.view.usage.repeats.count(("acme", "14155550150"), 2, 60.0, 0.0)
    after = build(configured(tmp_path, text.replace("5000", "2000")), node).view.usage.repeats
    assert (len(after), after.capacity) == (1, 2000)
    assert problems(tmp_path, text.replace('"09:00"', '"22:00"')) == {
        "policy.hours": "closes at 21:00, which is not after 22:00 when it opens"
    }


@pytest.mark.clause("policy: destinations")
def test_where_calls_went(tmp_path: Path) -> None:
    """The figures arrive; a reload keeps windows and missed calls, under the new bound; unknown accounts are named."""
    files(tmp_path)
    node = build(configured(tmp_path))
    assert node.view.policy.destinations.velocity.counts
    node.view.destinations.hour.add(("acme", "GN"), 1.0)
    text = (
        TEXT
        + "[policy.destinations]\nremembered = 2000\nmax_duration.GN = 600\nvelocity.accounts.acme.home.number = 9\n"
    )
    after = build(configured(tmp_path, text), node)
    counts = after.view.destinations
    assert counts.hour.count(("acme", "GN"), 1.0) == 1
    assert {part.capacity for part in (counts.numbers, counts.five_minutes, counts.hour, counts.missed)} == {2000}
    assert after.view.policy.ends_calls
    assert problems(tmp_path, text.replace("accounts.acme", "accounts.acmee")) == {
        "policy.destinations.velocity.accounts.acmee": 'the registry has no account "acmee" (did you mean "acme"?)'
    }


def test_reload_with_other_anchors(tmp_path: Path) -> None:
    """Certificates that other trust anchors vouched for are forgotten with those anchors."""
    files(tmp_path)
    before = build(configured(tmp_path))
    files(tmp_path)
    after = build(configured(tmp_path), before)
    assert after.view.certificates is not before.view.certificates
    assert after.view.verification is not before.view.verification
    assert after.view.traffic is before.view.traffic


@pytest.mark.clause("CRT-20")
def test_reload_with_an_older_list_of_authorities(tmp_path: Path) -> None:
    """The policy administrator's list goes forward only; a reload without a new one is none of its business."""
    authority = files(tmp_path)
    administrator = make_administrator(NOW)
    (tmp_path / "administrator.pem").write_bytes(administrator.certificate_pem)
    text = TEXT.replace('"anchors.pem"', '"list.jwt"\npolicy_administrator = "administrator.pem"')
    node = None
    for sequence, good in ((5, True), (5, True), (6, True), (5, False)):
        token = issue_trust_list(administrator, [authority.root.certificate], sequence=sequence, expires=NOW + DAY)
        (tmp_path / "list.jwt").write_bytes(token)
        if good:
            node = build(configured(tmp_path, text), node)
            assert node.trust_sequence == sequence
        else:
            assert problems(tmp_path, text, node) == {
                "stir.verify.anchors": "the trust list is older than the one in use"
            }


@pytest.mark.clause("VS-32")
def test_a_new_node_has_the_certificates_of_the_old_one(tmp_path: Path) -> None:
    """What was fetched before the restart is in the cache, as long as the anchors vouch for it."""
    leaf = files(tmp_path).issue()
    url = "https://certificates.example/leaf.pem"
    chains_on_disk(configured(tmp_path)).put(Stored(url, leaf.chain_pem, NOW, UnixTime(NOW + DAY)))
    assert isinstance(build(configured(tmp_path)).view.certificates.get(url, NOW), Credential)
    files(tmp_path)
    assert build(configured(tmp_path)).view.certificates.get(url, NOW) is None


def test_reload_that_fails(tmp_path: Path) -> None:
    """A reload that has a problem changes nothing of the node in force."""
    files(tmp_path)
    before = build(configured(tmp_path))
    (tmp_path / "anchors.pem").unlink()
    problems(tmp_path, TEXT + "[robodial]\nminimum_attempts = 20\n", before)
    assert before.view.traffic.profile.minimum_attempts == 50


def test_without_certificates(tmp_path: Path) -> None:
    """A node may sign nothing and trust nobody."""
    files(tmp_path)
    node = build(configured(tmp_path, TEXT[: TEXT.index("[stir.sign]")]))
    assert (dict(node.view.signers), len(node.view.verification.anchors)) == ({}, 0)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (Shape(not_after=UnixTime(NOW - DAY), not_before=UnixTime(NOW - 2 * DAY)), "expired"),
        (Shape(not_before=UnixTime(NOW + DAY)), "not yet valid"),
        (Shape(entries=None), "TNAuthList"),
    ],
)
def test_unusable_certificates(tmp_path: Path, shape: Shape, why: str) -> None:
    """A certificate that cannot sign keeps the node from starting, with one clear line."""
    files(tmp_path, shape)
    found = problems(tmp_path)
    assert list(found) == ["stir.sign.certificates.default"]
    assert why in found["stir.sign.certificates.default"]
    assert "\n" not in found["stir.sign.certificates.default"]


def test_key_of_another_certificate(tmp_path: Path) -> None:
    """A key that does not belong to the certificate is found before any call is."""
    authority = files(tmp_path)
    (tmp_path / "leaf.key").write_bytes(authority.issue().key_pem)
    assert "does not belong" in problems(tmp_path)["stir.sign.certificates.default"]


def test_key_that_others_can_read(tmp_path: Path) -> None:
    """A private key that others can read is refused."""
    files(tmp_path)
    (tmp_path / "leaf.key").chmod(0o644)
    assert "chmod 600" in problems(tmp_path)["stir.sign.certificates.default"]


def test_everything_at_once(tmp_path: Path) -> None:
    """Problems of files, registry and trunks are reported together, each under its key."""
    files(tmp_path)
    (tmp_path / "anchors.pem").write_text("nothing")
    (tmp_path / "leaf.pem").unlink()
    registry = registry_of(tmp_path)
    registry.numbers.add(NumberEntry(TN("14155550100"), "acme", trunk="pbxx"))
    registry.trunks.add(trunk_of({"name": "carrier", "side": "network", "targets": ["sip:192.0.2.1"]}))
    registry.trunks.add(
        trunk_of({"name": "branch", "side": "customer", "account": "acme", "sources": ["203.0.113.0/24"],
                  "certificate": "special"})
    )  # fmt: skip
    found = problems(tmp_path, TEXT.replace('account = "acme"', 'account = "acmee"'))
    assert found == {
        "stir.sign.certificates.default": f"{tmp_path}/leaf.pem cannot be read: No such file or directory",
        "stir.verify.anchors": found["stir.verify.anchors"],
        "trunk.pbx.account": 'the registry has no account "acmee" (did you mean "acme"?)',
        "trunk.carrier.name": "the registry has a trunk of this name too; remove one of them",
        "trunk.branch.certificate": "there is no [stir.sign.certificates.special]",
        "trunk.branch.sources": "203.0.113.0/24 overlaps 203.0.113.5/32 of trunk.pbx; a call must have one trunk",
        "registry.numbers.trunk": 'numbers are routed to trunk "pbxx", which is not there (did you mean "pbx"?)',
    }


def test_choices_about_emergency_calls_need_a_trunk(tmp_path: Path) -> None:
    """Where unprovisioned emergency calls are to go, by policy, country or account, there must be a trunk."""
    files(tmp_path)
    registry_of(tmp_path).accounts.change("acme", emergency_unprovisioned="route_to_ecrc")
    text = TEXT + '[policy.emergency]\nunprovisioned = "announce"\nunprovisioned_by_country.CA = "route_to_ecrc"\n'
    relay = "route_to_ecrc needs a network trunk with targets and class ecrc"
    assert problems(tmp_path, text) == {
        "policy.emergency.unprovisioned": "announce needs a network trunk with targets and class announcement",
        "policy.emergency.unprovisioned_by_country.CA": relay,
        "registry.accounts.acme": relay,
    }
    text += (
        '[[trunk]]\nname = "x"\nside = "network"\ntargets = ["sip:192.0.2.21"]\nclasses = ["ecrc", "announcement"]\n'
    )
    view = build(configured(tmp_path, text)).view
    assert view.policy.emergency_unprovisioned_by_country == {"CA": Unprovisioned.ROUTE_TO_ECRC}
    assert view.directory.accounts["acme"].emergency_unprovisioned is Unprovisioned.ROUTE_TO_ECRC


def test_state_that_cannot_be_made(tmp_path: Path) -> None:
    """A state directory that cannot be made is a problem under its key."""
    files(tmp_path)
    (tmp_path / "file").write_text("")
    found = problems(tmp_path, TEXT.replace('"edge-1"', '"edge-1"\nstate = "file/state"'))
    assert set(found) == {"node.state", "registry.url"}


@pytest.mark.clause("RFC 3261 22.3")
def test_passwords_for_carriers(tmp_path: Path) -> None:
    """Read from a file of its owner's, and in no text that describes the node; what is wrong with it is said."""
    files(tmp_path)
    file = tmp_path / "carrier.password"
    file.write_text("a carrier's password\nsecond line\n")
    text = TEXT.replace('name = "carrier"', 'name = "carrier"\nusername = "edge-1"\npassword_file = "carrier.password"')
    with pytest.raises(ConfigurationError, match=r"trunk\.carrier\.password_file.*chmod 600"):
        build(configured(tmp_path, text))
    file.chmod(0o600)
    node = build(configured(tmp_path, text))
    assert node.view.passwords == {"carrier": "a carrier's password"}
    assert node.view.directory.trunks["carrier"].username == "edge-1"
    assert "a carrier's password" not in repr(node)
    for octets, why in ((b"\n", "no password in its first line"), (b"\xff", "not UTF-8")):
        file.write_bytes(octets)
        with pytest.raises(ConfigurationError, match=why):
            build(configured(tmp_path, text))
