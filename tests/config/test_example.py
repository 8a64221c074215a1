"""The example configuration at the root of the project is complete and true."""

import dataclasses
import re
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from sipguard.config import Configuration, load
from sipguard.config.model import LimitsSection, TimersSection
from sipguard.config.robodial import RobodialSection
from sipguard.config.stir import VerifySection
from sipguard.traffic.profile import Profile

EXAMPLE = Path(__file__).parents[2] / "sipguard.toml"


def sections(model: type[BaseModel]) -> dict[type[BaseModel], set[str]]:
    """Every section below a model, with its keys."""
    found = {model: set(model.model_fields)}
    pending: list[Any] = [field.annotation for field in model.model_fields.values()]
    while pending:
        annotation = pending.pop()
        if get_origin(annotation) is not None:
            pending += get_args(annotation)
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found |= sections(annotation)
    return found


def test_loads() -> None:
    """The example has no mistake."""
    assert load(EXAMPLE).node.name == "edge-1"


def test_names_every_key() -> None:
    """Every key of every section is written in the example, if only in a comment."""
    written = set(re.findall(r'^(?:# )?(?:\[+)?([\w."]+)', EXAMPLE.read_text(), re.MULTILINE))
    parts = {part for name in written for part in name.split(".")}
    missing = {(model.__name__, key) for model, keys in sections(Configuration).items() for key in keys - parts}
    assert missing == set()


def test_shows_defaults() -> None:
    """A value that is not marked as an example is the default."""
    example = load(EXAMPLE)
    listener = {"transport": "udp", "bind": "127.0.0.1"}
    plain = Configuration.model_validate({"node": {"name": "x"}, "listener": [listener]})
    assert example.timers == TimersSection()
    assert example.limits == LimitsSection()
    assert example.stir.verify.model_copy(update={"anchors": None}) == VerifySection()
    assert example.stir.sign.outage == plain.stir.sign.outage
    assert (example.admin, example.log, example.ledger) == (plain.admin, plain.log, plain.ledger)
    assert example.drain_timeout == plain.drain_timeout
    assert example.registry_url.endswith("var/registry.db")
    assert example.robodial.thresholds() == plain.robodial.thresholds() == Profile()


def test_robodial_keys_are_the_profile() -> None:
    """Every figure of a profile can be overridden, and nothing else."""
    fields = {field.name for field in dataclasses.fields(Profile)} - {"name"} | {"profile"}
    assert set(RobodialSection.model_fields) == fields


def test_robodial_override() -> None:
    """A figure given wins over the profile's; the others stay."""
    thresholds = RobodialSection(profile="telnyx", minimum_attempts=20).thresholds()
    assert (thresholds.short_share, thresholds.minimum_attempts) == (0.15, 20)
