"""``sipguard list``: do-not-call lists by command."""

from pathlib import Path

import pytest

from tests.cli.kit import Shell

OPT_OUT = ("--list", "opt-out", "--account", "acme")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A registry with an account, and a wish on each list."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme", "--do-not-call", "national")
    shell.run("list", "add", "+999XXXXXXX")
    shell.run("list", "add", "(415) 555-0150", "--list", "national", "--source", "ftc", "--expires", "2030-01-31")
    shell.run("list", "add", "+14155550151", *OPT_OUT)
    shell.run("list", "add", "+1415556XXXX", "--list", "opt-in", "--account", "acme")
    return shell


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize("name", ["national", "opt-out", "opt-in", "do-not-originate"])
def test_what_is_exported_can_be_imported(shell: Shell, tmp_path: Path, name: str) -> None:
    """Every list is exported in the form that import takes, and comes back the same."""
    file = tmp_path / "export.csv"
    before = shell.data("list", "list", "--list", name)
    assert len(before) == 1
    assert shell.run("list", "export", str(file), "--list", name).code == 0
    assert shell.run("list", "import", str(file), "--list", name, "--validate-only").code == 0
    assert shell.run("list", "import", str(file), "--list", name).code == 0
    assert shell.data("list", "list", "--list", name) == before


def test_adding_says_what_it_means(shell: Shell) -> None:
    """The sentence names the number, the list and the account."""
    outcome = shell.run("list", "add", "4155550160", *OPT_OUT, "--source", "letter")
    assert outcome.err == "+14155550160 is not called by account acme\n"
    assert shell.run("list", "add", "4155550160", "--list", "national").err == (
        "+14155550160 is on the national do-not-call list\n"
    )


def test_search_shows_every_list(shell: Shell) -> None:
    """What each list says of a number, alone and by its block."""
    shell.run("list", "add", "+1415556XXXX", *OPT_OUT)
    found = shell.data("list", "search", "+14155561234")
    assert [(entry["list"], entry["account"], entry["pattern"]) for entry in found] == [
        ("opt-in", "acme", "+1415556XXXX"),
        ("opt-out", "acme", "+1415556XXXX"),
    ]
    assert "+14155550199 is on no list" in shell.run("list", "search", "+14155550199").err


def test_removing(shell: Shell) -> None:
    """Off one list is not off another."""
    shell.run("list", "add", "+14155550151", "--list", "national")
    assert shell.run("list", "remove", "+14155550151", *OPT_OUT).code == 0
    assert [entry["list"] for entry in shell.data("list", "search", "+14155550151")] == ["national"]
    assert shell.run("list", "remove", "+14155550151", *OPT_OUT).code == 1


@pytest.mark.parametrize(
    "command",
    [
        ("list", "add", "+14155550160", "--list", "opt-out"),
        ("list", "remove", "+14155550160", "--list", "opt-in"),
        ("list", "add", "+14155550160", "--list", "national", "--account", "acme"),
        ("list", "list", "--account", "acme"),
        ("list", "add", "+14155550160", "--list", "wishes"),
        ("list", "import", "x.csv", "--list", "opt-out", "--replace"),
        ("account", "set", "acme", "--do-not-call", "always"),
    ],
)
def test_what_does_not_go_together(shell: Shell, command: tuple[str, ...]) -> None:
    """A list that accounts keep needs one, others have none: an error of usage."""
    assert shell.run(*command).code == 2


def test_a_file_may_be_the_whole_list(shell: Shell, tmp_path: Path) -> None:
    """With --replace what is not in the file is off the list; do-not-originate lists too."""
    file = tmp_path / "list.csv"
    file.write_text("pattern\n+14155550170\n")
    for name in ("national", "do-not-originate"):
        assert shell.run("list", "import", str(file), "--list", name, "--replace").code == 0
        assert [entry["pattern"] for entry in shell.data("list", "list", "--list", name)] == ["14155550170"]
    assert len(shell.data("list", "list", "--list", "opt-out")) == 1


@pytest.mark.parametrize("options", [("--list", "national"), ("--list", "do-not-originate"), OPT_OUT])
def test_a_file_without_rows_empties_no_list(shell: Shell, tmp_path: Path, options: tuple[str, ...]) -> None:
    """--replace with a header and nothing below it, a download that failed, is refused; ``clear`` is for that."""
    file = tmp_path / "list.csv"
    file.write_text("pattern\n")
    before = shell.data("list", "list", *options)
    assert len(before) == 1
    refused = shell.run("list", "import", str(file), *options, "--replace")
    assert refused.code == 1
    assert refused.err.startswith(f"{file}:1: there are no rows below it, and all 1 entries would go\n")
    assert shell.data("list", "list", *options) == before
    assert shell.data("list", "clear", *options)["removed"] == 1
    assert shell.data("list", "list", *options) == []
    assert shell.data("list", "clear", *options)["removed"] == 0
    assert shell.run("list", "import", str(file), *options, "--replace").code == 0
    [change, *_] = shell.data("audit", "--subject", before[0]["pattern"])
    assert change["what"].endswith("list.remove")
    assert (change["before"]["pattern"], change["after"]) == (before[0]["pattern"], None)


def test_clearing_names_its_list(shell: Shell) -> None:
    """No list is emptied for want of an option, and one account's opt-outs are not another's."""
    assert shell.run("list", "clear").code == 2
    assert shell.run("list", "clear", "--list", "opt-out").code == 2
    shell.run("account", "add", "other")
    shell.run("list", "add", "+14155550151", "--list", "opt-out", "--account", "other")
    shell.run("list", "clear", *OPT_OUT)
    [entry] = shell.data("list", "list", "--list", "opt-out")
    assert entry["account"] == "other"


def test_an_import_says_what_it_takes_away(shell: Shell, tmp_path: Path) -> None:
    """How many are new, changed and removed, before it is done and after."""
    file = tmp_path / "list.csv"
    file.write_text("pattern\n+14155550170\n+14155550171\n")
    words = ("list", "import", str(file), "--list", "national", "--replace")
    assert shell.run(*words, "--validate-only").err == (
        "2 rows are good: 2 new, 0 changed, 1 removed; nothing was stored\n"
    )
    assert shell.run(*words).err == "2 rows stored: 2 new, 0 changed, 1 removed\n"


def test_a_source_is_one_line(shell: Shell) -> None:
    """What would move the cursor of a terminal, or break the lines of a pipe, is no source."""
    for source in ("a\nb", "a\tb", "\x1b[2J", "\0"):
        assert shell.run("list", "add", "+14155550160", "--source", source).code == 2


def test_the_scope_of_an_account(shell: Shell) -> None:
    """Set, shown, exported, explained, taken away."""
    assert shell.data("account", "list")[0]["do_not_call"] == "national"
    assert ",national," in shell.run("account", "export", "-").out
    assert shell.data("explain", "account", "acme")["do_not_call"] == {"lists": "national", "set_by": "acme"}
    assert shell.run("account", "set", "acme", "--do-not-call", "none").code == 0
    assert shell.data("explain", "account", "acme")["do_not_call"] == {"lists": "internal", "set_by": "default"}


def test_explain_shows_what_a_called_number_wants(shell: Shell) -> None:
    """A number that is only on a do-not-call list is known, with what each entry says."""
    [entry] = shell.data("explain", "number", "+14155550151")["do_not_call"]
    assert (entry["list"], entry["account"], entry["in_force"]) == ("opt-out", "acme", True)
    [entry] = shell.data("explain", "number", "+14155550150")["do_not_call"]
    assert (entry["list"], entry["account"], entry["expires"]) == ("national", None, "2030-01-31T00:00:00Z")
