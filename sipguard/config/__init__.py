"""The operator's configuration: one TOML file read once into frozen, typed sections.

``load`` reports every problem of a file together, each with its dotted key, so that an operator repairs a file in one
go. The sections are pydantic models (``sections``, ``trunk``); what pydantic cannot see, because it concerns several
sections at once, is in ``checks``.
"""

from sipguard.config.load import load, parse
from sipguard.config.model import Configuration
from sipguard.config.trunk import TrunkSection

__all__ = ["Configuration", "TrunkSection", "load", "parse"]
