"""The limits of accounts, as they are kept, inherited and followed."""

from pathlib import Path

import pytest

from sipguard.errors import RegistryError
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.values import call_count, call_rate
from sipguard.traffic.limit import CallLimit
from tests.cli.kit import Shell
from tests.registry.kit import acme

FIGURES = ("max_rate", "max_burst", "max_calls")


@pytest.mark.usefixtures("store")
def test_an_account_knows_the_limits_of_every_level(tmp_path: Path) -> None:
    """From the top down, each with its own figures; what is left out of one limits nothing."""
    registry = acme(tmp_path)
    assert registry.directory().accounts["acme/sales"].limits == ()
    registry.accounts.change("reseller", max_rate=2.5, max_burst=5)
    registry.accounts.change("acme/sales", max_calls=3)
    accounts = registry.directory().accounts
    above = ("reseller", CallLimit(2.5, 5))
    assert accounts["acme/sales"].limits == (above, ("acme/sales", CallLimit(concurrent=3)))
    assert accounts["acme"].limits == accounts["reseller"].limits == (above,)


@pytest.mark.usefixtures("store")
def test_a_change_reaches_those_below(tmp_path: Path) -> None:
    """A node that follows the registry sees the limit of a reseller at every account below it, and sees it go."""
    registry = acme(tmp_path)
    before = registry.directory()
    registry.accounts.change("reseller", max_calls=100)
    after = registry.follow(before, registry.changes(before))
    assert after.accounts["acme/sales"].limits == (("reseller", CallLimit(concurrent=100)),)
    registry.accounts.change("reseller", max_calls=None)
    assert registry.follow(after, registry.changes(after)).accounts["acme/sales"].limits == ()


@pytest.mark.usefixtures("store")
def test_a_change_is_audited(tmp_path: Path) -> None:
    """Before and after, figure by figure."""
    registry = acme(tmp_path)
    registry.accounts.change("acme", max_rate=1.0)
    registry.accounts.change("acme", max_rate=0.5, max_burst=2)
    latest = registry.audit(subject="acme", what="account.set")[0]
    assert latest.detail == {
        "before": {"max_rate": 1.0, "max_burst": None}, "after": {"max_rate": 0.5, "max_burst": 2},
    }  # fmt: skip


def test_no_limit_is_not_nothing(tmp_path: Path) -> None:
    """0 is a limit of one's own, which lets everything through; None is none."""
    assert AccountEntry("a").limit is None
    assert AccountEntry("a", max_calls=0).limit == CallLimit()


def test_a_burst_of_nothing_is_refused(tmp_path: Path) -> None:
    """By itself it would lift the configured limit; also when the rate is taken away from under it."""
    registry = acme(tmp_path)
    with pytest.raises(RegistryError, match="max_burst needs max_rate"):
        registry.accounts.add(AccountEntry("x", max_burst=5))
    with pytest.raises(RegistryError, match="max_burst needs max_rate"):
        registry.accounts.change("acme", max_burst=5)
    registry.accounts.change("acme", max_burst=5, max_rate=1.0)
    with pytest.raises(RegistryError, match="max_burst needs max_rate"):
        registry.accounts.change("acme", max_rate=None)
    assert registry.directory().accounts["acme"].limits == (("acme", CallLimit(1.0, 5)),)


@pytest.mark.parametrize(("text", "rate"), [("2.5", 2.5), ("0", 0.0), ("100000", 100_000.0)])
def test_rates(text: str, rate: float) -> None:
    """Digits with at most one point."""
    assert call_rate(text) == rate


@pytest.mark.parametrize("text", ["", "-1", "1e3", "nan", "inf", "100001", "1,5", "٣", " 1", "1\n"])
def test_what_is_no_rate(text: str) -> None:
    """Everything else is refused in the words of the value."""
    with pytest.raises(ValueError, match="is not a rate"):
        call_rate(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "10000001", "9" * 30, "٣"])
def test_what_is_no_number_of_calls(text: str) -> None:
    """A whole number, ten million at most."""
    assert call_count("10000000") == 10_000_000
    with pytest.raises(ValueError, match="is not a number of calls"):
        call_count(text)


def test_by_command(tmp_path: Path) -> None:
    """Added, set, listed, taken away; a mistake names the value."""
    shell = Shell(tmp_path)
    added = shell.data("account", "add", "acme", "--max-rate", "2.5", "--max-burst", "5", "--max-calls", "30")
    assert [added[name] for name in FIGURES] == [2.5, 5, 30]
    assert shell.data("account", "set", "acme", "--max-calls", "0")["max_calls"] == 0
    assert [shell.data("account", "list")[0][name] for name in FIGURES] == [2.5, 5, 0]
    for name in ("--max-burst", "--max-rate", "--max-calls"):
        assert shell.run("account", "set", "acme", name, "none").code == 0
    assert [shell.data("account", "list")[0][name] for name in FIGURES] == [None] * 3
    for option in ("--max-rate", "--max-burst", "--max-calls"):
        assert shell.run("account", "set", "acme", option, "many").code == 2
    refused = shell.run("account", "set", "acme", "--max-burst", "2")
    assert (refused.code, "max_burst needs max_rate" in refused.err) == (1, True)


def test_by_file(tmp_path: Path) -> None:
    """What was exported can be imported; bad rows are named with their lines."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme", "--max-rate", "2.5", "--max-burst", "5", "--max-calls", "30")
    file = tmp_path / "accounts.csv"
    assert shell.run("account", "export", str(file)).code == 0
    shell.run("account", "set", "acme", "--max-calls", "none")
    assert shell.run("account", "import", str(file)).code == 0
    assert [shell.data("account", "list")[0][name] for name in FIGURES] == [2.5, 5, 30]
    file.write_text("name,max_rate,max_burst,max_calls\na,fast,,\nb,,,2.5\nc,,3,\nd,1,3,4\n")
    refused = shell.run("account", "import", str(file))
    assert refused.code == 1
    assert [f"{file}:{line}: " in refused.err for line in (2, 3, 4, 5)] == [True, True, True, False]
