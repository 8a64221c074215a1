"""What every configuration section is: a frozen model that refuses keys it does not know.

Relative paths are relative to the configuration file: ``parse`` hands its directory in as validation context.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)


def resolve(path: Path, info: ValidationInfo) -> Path:
    """The path as seen from the configuration file's directory."""
    directory: Path = (info.context or {}).get("directory", Path())
    return directory / path


def _authorities(text: str, info: ValidationInfo) -> str:
    return text if text == SYSTEM_AUTHORITIES else str(resolve(Path(text), info))


SYSTEM_AUTHORITIES = "system"  # those of the operating system, and only when they are asked for
Authorities = Annotated[str, AfterValidator(_authorities)]
ConfiguredPath = Annotated[Path, AfterValidator(resolve)]
