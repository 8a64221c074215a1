"""What all commands share: how errors end them, and the options that mean the same everywhere.

Exit codes: 0 done, 1 refused or not found, 2 usage or configuration. An error is one line on standard error, a
configuration error one line per problem; never a traceback.
"""

import errno
import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sipguard.config import load
from sipguard.config.checks import certificate_problem
from sipguard.errors import ConfigurationError, SipguardError, StartupError
from sipguard.registry import Registry

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.", metavar="FILE")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NumberArgument = Annotated[
    str, typer.Argument(help="The number, with + or as written in --country.", show_default=False)
]
CountryOption = Annotated[str, typer.Option("--country", help="The country of national numbers.", metavar="CC")]
ValidateOption = Annotated[bool, typer.Option("--validate-only", help="Report every bad row and store nothing.")]
FileArgument = Annotated[Path, typer.Argument(help="The CSV file.", metavar="FILE", show_default=False)]
OutputArgument = Annotated[
    Path, typer.Argument(help="The CSV file to write; - is standard output.", metavar="FILE", allow_dash=True)
]
LimitOption = Annotated[int, typer.Option("--limit", help="How many at most.", min=1)]
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what standard output goes to takes no more
DEFAULT_CONFIG = Path("sipguard.toml")


class Commands(TyperGroup):
    """A group of commands that turns this package's errors into a line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command the user named."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except ConfigurationError as error:
            for problem in error.problems:
                print(f"sipguard: {problem.key}: {problem.message}", file=sys.stderr)
            raise typer.Exit(2) from None
        except SipguardError as error:
            print(f"sipguard: {error}", file=sys.stderr)
            raise typer.Exit(2 if isinstance(error, StartupError) else 1) from None
        except OSError as error:
            if error.errno not in _FULL:  # a bug, or a reader that has had enough
                raise
            print(f"sipguard: {error.strerror}", file=sys.stderr)
            raise typer.Exit(1) from None


def noun(name: str, help_text: str, example: str) -> typer.Typer:
    """An empty group of commands about one thing."""
    return typer.Typer(name=name, help=help_text, epilog=f"Example: {example}", no_args_is_help=True)


def open_registry(config: Path) -> Registry:
    """The registry that a configuration file names; changes are audited under the user's name."""
    return Registry(load(config).registry_url, actor=_user())


def require_certificate(config: Path, name: str) -> None:
    """A signing certificate that the registry is to name must be in the configuration. Raises ValueError."""
    for problem in certificate_problem("", name, load(config).stir.sign.certificates):
        raise ValueError(problem.message)


@contextmanager
def checked() -> Iterator[None]:
    """Values the user typed: a ValueError about them is an error of usage, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return f"uid {os.getuid()}"
