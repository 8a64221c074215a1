"""Reading a configuration: everything that is wrong, at once, each with its key."""

import re
import tomllib
from pathlib import Path

import pytest

from sipguard.config import Configuration, load, parse
from sipguard.errors import ConfigurationError
from sipguard.policy.rules import Mode

MINIMAL = """
[node]
name = "edge-1"
[[listener]]
transport = "udp"
bind = "127.0.0.1:5060"
"""


def problems(text: str) -> dict[str, str]:
    """The problems of a configuration, by key."""
    with pytest.raises(ConfigurationError) as caught:
        parse(tomllib.loads(text), Path())
    return dict(caught.value.problems)


def good(text: str, directory: Path = Path()) -> Configuration:
    """A configuration that has no problem."""
    return parse(tomllib.loads(text), directory)


def test_minimal() -> None:
    """A name and one listener are enough; everything else has a default."""
    configuration = good(MINIMAL)
    assert configuration.listener[0].advertised == ("127.0.0.1", 5060)
    assert configuration.registry_url == "sqlite:///var/registry.db"
    assert configuration.ledger.on_failure == "hold"
    assert configuration.admin.address == ("127.0.0.1", 8080)


def test_empty() -> None:
    """An empty file lacks exactly what has no default."""
    assert problems("") == {"node": "is required", "listener": "is required"}


def test_all_at_once() -> None:
    """Errors of every kind, in sections and between them, are reported in one run, each with its dotted key."""
    found = problems(
        """
        drain_timeuot = 3
        [node]
        nam = "edge"
        [[listener]]
        transport = "sctp"
        bind = "0.0.0.0:99999"
        [[listener]]
        transport = "udp"
        bind = "0.0.0.0"
        [[trunk]]
        name = "pbx"
        side = "customer"
        soures = ["192.0.2.1"]
        [[trunk]]
        name = "carrier"
        side = "network"
        targets = ["sip:192.0.2.4;transport=tcp", "http:x"]
        sources = ["10.0.0.0/8", "bad"]
        [[trunk]]
        name = "carrier"
        side = "network"
        sources = ["10.1.1.1"]
        on_failure = "ignore"
        [policy.rules."robodia.tag"]
        mode = "loud"
        [timers]
        timer_c = 180
        """
    )
    assert found == {
        "drain_timeuot": 'unknown key (did you mean "drain_timeout"?)',
        "node.name": "is required",
        "node.nam": 'unknown key (did you mean "name"?)',
        "listener[0].transport": "should be 'udp', 'tcp', 'tls', 'ws' or 'wss'",
        "listener[0].bind": 'the port of "0.0.0.0:99999" is not between 1 and 65535',
        "listener[1].advertise": "is required: others cannot answer to 0.0.0.0:5060",
        "trunk.pbx.soures": 'unknown key (did you mean "sources"?)',
        "trunk.pbx.sources": "a customer trunk needs the addresses its calls come from, or tls_names, or digest = true",
        "trunk.pbx.account": "a customer trunk needs the account its calls belong to",
        "trunk.carrier.targets[1]": '"http:x" is not a SIP URI like sip:192.0.2.20:5060;transport=udp',
        "trunk.carrier.targets[0]": 'no tcp listener can send to "sip:192.0.2.4;transport=tcp"',
        "trunk.carrier.sources[1]": '"bad" is not an address or network like 203.0.113.5 or 203.0.113.0/24',
        "trunk[2].name": 'an earlier trunk is called "carrier" already',
        "trunk.carrier.sources": "10.1.1.1/32 overlaps 10.0.0.0/8 of trunk.carrier; a call must have one trunk",
        "trunk.carrier.on_failure": "should be 'tag' or 'reject'",
        'policy.rules."robodia.tag"': 'no rule has this name (did you mean "robodial.tag"?)',
        'policy.rules."robodia.tag".mode': "should be 'off', 'report', 'tag', 'divert', 'throttle' or 'block'",
        "timers.timer_c": "should be greater than 180",
    }


def test_unquoted_rule() -> None:
    """A rule name written without quotes is explained, since TOML reads it as nested tables."""
    found = problems('policy.rules.robodial.tag.mode = "report"' + MINIMAL)
    assert "rule names stand in quotes" in found["policy.rules.robodial.tag"]


def test_rule_modes() -> None:
    """A rule's mode is taken from the file under its published name."""
    configuration = good(MINIMAL + '[policy]\nrules."robodial.tag".mode = "tag"')
    assert configuration.policy.rules["robodial.tag"].mode is Mode.TAG


def test_relative_paths() -> None:
    """Relative paths start from the configuration file's directory, absolute ones stay."""
    text = MINIMAL.replace("[node]", '[node]\nstate = "state"') + (
        '[registry]\nurl = "sqlite:///db/r.db"\n'
        '[stir.verify]\nanchors = "a.pem"\nhttps_ca = "/etc/ca.pem"\n'
        '[stir.sign.certificates.default]\ncertificate = "l.pem"\nkey = "l.key"\nurl = "https://c.example/l.pem"\n'
    )
    configuration = good(text, Path("/srv/sipguard"))
    assert configuration.node.state == Path("/srv/sipguard/state")
    assert configuration.registry_url == "sqlite:////srv/sipguard/db/r.db"
    assert configuration.stir.verify.anchors == Path("/srv/sipguard/a.pem")
    assert configuration.stir.verify.https_ca == Path("/etc/ca.pem")
    assert configuration.stir.sign.certificates["default"][0].key == Path("/srv/sipguard/l.key")


def test_default_state_is_relative_too() -> None:
    """The default state directory is beside the configuration file."""
    assert good(MINIMAL, Path("/srv")).registry_url == "sqlite:////srv/var/registry.db"


@pytest.mark.parametrize(
    ("extra", "key", "why"),
    [
        ('[policy]\nprotected_names = ["IR"]', "policy.protected_names[0]", "too short a name"),
        ('[policy.destinations]\npremium = ["1976"]', "policy.destinations.premium[0]", "pattern"),
        ('[policy.destinations]\ncountries = ["Mars"]', "policy.destinations.countries[0]", "country"),
        ('[registry]\nurl = "mysql://db/x"', "registry.url", "neither sqlite"),
        ('[registry]\nurl = "sqlite://"', "registry.url", "neither sqlite"),
        ('[stir.sign.certificates.a]\ncertificate="c"\nkey="pkcs11:x"\nurl="https://c.example/l.pem"',
         "stir.sign.certificates.a.key", "no attribute"),
        ('[stir.sign.certificates.a]\ncertificate="c"\nkey="k"\nurl="http://c.example/l.pem"',
         "stir.sign.certificates.a.url", "https"),
        ('[stir.sign.certificates.a]\ncertificate="c"\nkeyy="k"\nkey="k"\nurl="https://c.example/l.pem"',
         "stir.sign.certificates.a.keyy", 'did you mean "key"'),
        ('[[stir.sign.certificates.a]]\ncertificate="c"\nkey="k"\nurl="https://c.example/{serial}"\n'
         '[[stir.sign.certificates.a]]\ncertificate="c"\nkey="k"',
         "stir.sign.certificates.a[1].url", "required"),
        ('[stir.sign]\ncertificates = 3', "stir.sign.certificates", "dictionary"),
        ('[stir.sign.certificates]\na = "leaf.pem"', "stir.sign.certificates.a", "tuple"),
        ('[stir.sign]\norigid = "random"', "stir.sign.origid", "account"),
        ('[stir.sign]\nstale_date = "sign"', "stir.sign.stale_date", "redate"),
        ('[[trunk]]\nname = "c"\nside = "network"\nsources = ["192.0.2.1"]\ngateway = true',
         "trunk.c.gateway", "customer trunks"),
        ('[policy]\nprecedence = ["from", "from"]', "policy.precedence", "at most once"),
        ("[policy]\nprecedence = []", "policy.precedence", "at least one"),
        ('[policy.emergency.numbers]\nXX = ["911"]', "policy.emergency.numbers.XX", "country"),
        ('[policy.emergency.numbers]\nUS = ["nine"]', "policy.emergency.numbers.US[0]", "pattern"),
        ('[robodial]\nprofile = "plivoo"', "robodial.profile", 'did you mean "plivo"'),
        ("[robodial]\nshort_share = 10", "robodial.short_share", "less than 1"),
        ("[limits]\nidle_timeout = 60", "limits.idle_timeout", "timer_c"),
        ("[timers]\ntimer_c = 400", "limits.idle_timeout", "timer_c"),
        ('[admin]\nbind = "127.0.0.1"', "admin.bind", "no port"),
        ('[node2]', "node2", 'did you mean "node"'),
        ('[[trunk]]\nside = "network"\nsources = ["192.0.2.1"]', "trunk[0].name", "required"),
        ('[[trunk]]\nname = "c"\nside = "network"', "trunk.c.targets", "targets to send to"),
        ('[[trunk]]\nname = "c"\nside = "network"\ntargets = ["sip:[::1]"]', "trunk.c.targets[0]", "no udp listener"),
        ('[[trunk]]\nname = "c"\nside = "customer"\naccount = "a"\nsources = ["192.0.2.1"]\non_mismatch = "replace"',
         "trunk.c.default_number", "required"),
        ('[[trunk]]\nname = "c"\nside = "network"\nsources = ["192.0.2.1"]\ndefault_number = "4155550100"',
         "trunk.c.default_number", r"\+14155550100"),
        ('[[trunk]]\nname = "c"\nside = "network"\nsources = ["192.0.2.1"]\nresponse_timeout = 5\nring_timeout = 4',
         "trunk.c.ring_timeout", "exceed response_timeout"),
        ('[[trunk]]\nname = "c"\nside = "network"\nsources = ["192.0.2.1"]\nresponse_timeout = -1',
         "trunk.c.response_timeout", "greater than or equal to 0"),
        ('[[trunk]]\nname = "c"\nside = "customer"\naccount = "a"\nsources = ["192.0.2.1"]\nfollow_redirects = true',
         "trunk.c.follow_redirects", "network trunks"),
        ('[[trunk]]\nname = "c"\nside = "network"\nsources = ["192.0.2.1"]\nforwarding = "trust"',
         "trunk.c.forwarding", "customers that call with their own numbers"),
        ('[[trunk]]\nname = "c"\nside = "customer"\naccount = "a"\nsources = ["192.0.2.1"]\ngateway = true\n'
         'forwarding = "passport"', "trunk.c.forwarding", "customers that call with their own numbers"),
        ('[[trunk]]\nname = "c"\nside = "customer"\naccount = "a"\nsources = ["192.0.2.1"]\nforwarding = "yes"',
         "trunk.c.forwarding", "passport"),
        ('[[trunk]]\nname = "c d"\nside = "network"\nsources = ["192.0.2.1"]', "trunk.c d.name", "pattern"),
        ('[[trunk]]\nname = "c"\nside = "customer"\naccount = "a"\nsources = ["192.0.2.1"]\ncertificate = "x"\n'
         '[stir.sign.certificates.y]\ncertificate="c"\nkey="k"\nurl="https://c.example/l.pem"',
         "trunk.c.certificate", "stir.sign.certificates.x"),
        ('[[listener]]\ntransport = "udp"\nbind = "127.0.0.1"', "listener[1].bind", "earlier listener"),
        ('[[listener]]\ntransport = "udp"\nbind = "[::]"\nadvertise = "[::]"', "listener[1].advertise", "cannot reach"),
    ],
)  # fmt: skip
def test_single_problems(extra: str, key: str, why: str) -> None:
    """Each mistake is found alone, under its own key."""
    found = problems(f"{MINIMAL}\n{extra}\n")
    assert list(found) == [key]
    assert re.search(why, found[key])


def test_wrong_shapes() -> None:
    """Values of the wrong shape are problems, never a traceback."""
    assert "trunk" in problems(MINIMAL.replace("[node]", "trunk = 3\n[node]"))
    assert "trunk[0]" in problems(MINIMAL.replace("[node]", 'trunk = ["x"]\n[node]'))
    assert "timers" in problems("timers = 4\n" + MINIMAL)
    assert "listener" in problems('listener = "udp"\n[node]\nname = "x"')
    assert "listener" in problems('listener = []\n[node]\nname = "x"')


def test_unreadable(tmp_path: Path) -> None:
    """A file that is missing, not text, or not TOML is one problem, named by its path."""
    for name, octets, why in (("a", None, "cannot be read"), ("b", b"\xff", "UTF-8"), ("c", b"x = ", "not TOML")):
        path = tmp_path / name
        if octets is not None:
            path.write_bytes(octets)
        with pytest.raises(ConfigurationError, match=why) as caught:
            load(path)
        assert caught.value.problems[0].key == str(path)


@pytest.mark.clause("PRX-32", "RFC 8760 2.3")
def test_digest() -> None:
    """Algorithms come strongest first, each once; the realm is the node's name where none is given."""
    configuration = good(MINIMAL + '[digest]\nalgorithms = ["MD5", "SHA-512-256", "SHA-256"]')
    assert configuration.digest.algorithms == ("SHA-512-256", "SHA-256", "MD5")
    assert configuration.realm == configuration.node.name
    assert good(MINIMAL + '[digest]\nrealm = "sip.example"').realm == "sip.example"
    for algorithms in ("[]", '["MD5", "MD5"]'):
        found = problems(MINIMAL + f"[digest]\nalgorithms = {algorithms}")
        assert found == {"digest.algorithms": "names each algorithm at most once, and at least one"}
    assert "digest.realm" in problems(MINIMAL + "[digest]\nrealm = 'a\"b'")


@pytest.mark.parametrize(
    ("side", "keys", "problem"),
    [
        ("network", 'username = "u"', ("password_file", "is required by username")),
        ("network", 'password_file = "p"', ("username", "is required by password_file and realm")),
        ("network", 'realm = "r"', ("username", "is required by password_file and realm")),
        ("network", "digest = true", ("digest", "is for customer trunks: the network is not asked for credentials")),
        (
            "customer",
            'account = "a"\nusername = "u"\npassword_file = "p"',
            ("username", "is for network trunks; customers are asked by digest = true"),
        ),
    ],
)
def test_credentials_of_a_trunk(side: str, keys: str, problem: tuple[str, str]) -> None:
    """Which keys of a trunk go together."""
    found = problems(MINIMAL + f'[[trunk]]\nname = "x"\nside = "{side}"\nsources = ["192.0.2.77"]\n{keys}')
    assert found == {f"trunk.x.{problem[0]}": problem[1]}
