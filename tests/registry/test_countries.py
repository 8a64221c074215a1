"""The countries an account may call, as they are kept."""

from pathlib import Path

import pytest

from sipguard.registry.accounts import AccountEntry
from sipguard.registry.values import country_list
from tests.cli.kit import Shell
from tests.registry.kit import acme


@pytest.mark.parametrize(("text", "kept"), [("us,ca", "CA US"), ("GB", "GB"), ("*", "*"), (" fr  de fr ", "DE FR")])
def test_one_spelling(text: str, kept: str) -> None:
    """Codes in any case, with commas or spaces, each once."""
    assert country_list(text) == kept


@pytest.mark.parametrize("text", ["", "Germany", "XX", "US;CA"])
def test_what_is_no_country(text: str) -> None:
    """Anything but a code is refused."""
    with pytest.raises(ValueError, match="country"):
        country_list(text)


def test_the_nearest_account_that_names_countries_counts(tmp_path: Path) -> None:
    """An account without any has those of the one above it."""
    registry = acme(tmp_path)
    registry.accounts.change("reseller", countries="CA US")
    assert registry.directory().accounts["acme/sales"].countries == ("CA", "US")
    registry.accounts.change("acme", countries="GB")
    assert registry.directory().accounts["acme/sales"].countries == ("GB",)
    registry.accounts.add(AccountEntry("alone"))
    assert registry.directory().accounts["alone"].countries == ()


def test_by_command(tmp_path: Path) -> None:
    """Set, shown, exported, taken away."""
    shell = Shell(tmp_path)
    assert shell.run("account", "add", "acme", "--countries", "us,ca").code == 0
    assert shell.data("account", "list")[0]["countries"] == "CA US"
    assert "CA US" in shell.run("account", "export", "-").out
    assert shell.run("account", "set", "acme", "--countries", "none").code == 0
    assert shell.data("account", "list")[0]["countries"] is None
    assert shell.run("account", "set", "acme", "--countries", "Mars").code == 2
