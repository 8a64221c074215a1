"""``sipguard run``: the proxy itself, until it is told to end."""

import sys

import typer

from sipguard.cli.commands import DEFAULT_CONFIG, ConfigOption
from sipguard.config import load
from sipguard.errors import ConfigurationError, SipguardError
from sipguard.runtime.composition import build
from sipguard.runtime.service import serve


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", epilog="Example: sipguard run --config sipguard.toml")(run)


def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the proxy. SIGTERM drains and ends it, SIGHUP reads the configuration and the registry again.

    Logs JSON lines to standard error; the line with event "ready" says that it listens. Exit code 2 when the
    configuration is wrong, 1 when the proxy cannot start.
    """
    from sipguard.web.server import AdminServer  # half a second that the other commands need not wait

    try:
        configuration = load(config)
        serve(configuration, build(configuration), load, config, AdminServer)
    except ConfigurationError:
        raise
    except SipguardError as error:
        print(f"sipguard: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
