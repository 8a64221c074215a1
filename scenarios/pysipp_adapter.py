"""Makes ``pysipp`` 0.1.0 importable and keeps the SIPp processes it starts in hand.

pysipp's one release trips over three things that have changed since; each is mended here, around the
import, without touching the installed package:

- it builds ``pluggy.PluginManager(name, implprefix=...)``; pluggy 1.0 removed that argument. All hooks of pysipp carry
  the marker, so the prefix is not needed and is dropped.
- it imports ``distutils.spawn`` and ``imp``, which Python 3.12 removed; only ``find_executable`` is called.
- its runner lets SIPp read our standard input and draw on whatever terminal there is. The runner takes its
  ``subprocess`` module as an argument, which is all the seam we need: ``_Processes`` starts SIPp without standard
  input, with a fixed ``TERM``, and has the kernel end it should this process die.
"""

import importlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pluggy

from scenarios import lifeline


class _PluginManager(pluggy.PluginManager):
    """A plugin manager that accepts, and ignores, the argument of pluggy < 1.0."""

    def __init__(self, project_name: str, implprefix: str | None = None) -> None:
        del implprefix
        super().__init__(project_name)


def _stand_ins() -> dict[str, ModuleType]:
    """Modules that pysipp imports and this Python may not have any more."""
    missing: dict[str, ModuleType] = {}
    if importlib.util.find_spec("distutils") is None:
        distutils, spawn = ModuleType("distutils"), ModuleType("distutils.spawn")
        vars(spawn)["find_executable"] = shutil.which
        vars(distutils)["spawn"] = spawn
        missing |= {"distutils": distutils, "distutils.spawn": spawn}
    if importlib.util.find_spec("imp") is None:
        missing["imp"] = ModuleType("imp")
    return missing


def load() -> Any:
    """Import pysipp, mended. Raises ModuleNotFoundError when it is not installed."""
    if "pysipp" in sys.modules:
        return sys.modules["pysipp"]
    stand_ins = _stand_ins()
    original = pluggy.PluginManager
    sys.modules.update(stand_ins)
    pluggy.PluginManager = _PluginManager  # type: ignore[misc]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pysipp's own SyntaxWarning and DeprecationWarnings
            pysipp = importlib.import_module("pysipp")
    finally:
        pluggy.PluginManager = original  # type: ignore[misc]
        for name in stand_ins:
            sys.modules.pop(name, None)
    logging.getLogger("pysipp").setLevel(logging.CRITICAL)  # it warns of every agent that we end
    return pysipp


class _Processes:
    """The part of the ``subprocess`` module that pysipp's runner uses."""

    PIPE = subprocess.PIPE

    @staticmethod
    def Popen(command: Sequence[str], stdout: Any, stderr: Any) -> "subprocess.Popen[bytes]":
        """Start SIPp with nothing of ours but its output channels."""
        return subprocess.Popen(
            [*command, "-nostdin"],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=os.environ | {"TERM": "vt100"},
            preexec_fn=lifeline.die_with_parent,
        )


def new_runner() -> Any:
    """A pysipp runner for one agent, which starts its process as described above."""
    return load().launch.PopenRunner(subprocmod=_Processes)
