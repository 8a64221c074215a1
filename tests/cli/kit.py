"""A node's directory for command line tests: a configuration file, and a runner that behaves like a shell."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner

from sipguard.cli.main import app

CONFIGURATION = """
[node]
name = "edge-1"
[[listener]]
transport = "udp"
bind = "127.0.0.1:5060"
[[trunk]]
name = "acme-pbx"
side = "customer"
account = "acme"
sources = ["203.0.113.5"]
[[trunk]]
name = "carrier-a"
side = "network"
targets = ["sip:192.0.2.20:5060"]
"""


class Outcome(NamedTuple):
    """What a command left: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


class Shell:
    """Commands run against one configuration."""

    def __init__(self, directory: Path, configuration: str = CONFIGURATION) -> None:
        self.config = directory / "sipguard.toml"
        self.config.write_text(configuration)

    def run(self, *arguments: str) -> Outcome:
        """Run a command; an exception that is not an exit fails the test."""
        result = CliRunner().invoke(app, [*arguments, "--config", str(self.config)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def data(self, *arguments: str) -> Any:
        """The JSON a command prints."""
        outcome = self.run(*arguments, "--json")
        assert outcome.code == 0, outcome
        assert outcome.err == ""
        return json.loads(outcome.out)
