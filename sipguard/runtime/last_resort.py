"""The last resort: whatever nobody caught becomes one JSON line and a count, never a traceback on standard error."""

import asyncio
import sys
import threading
from types import TracebackType
from typing import Any

from sipguard.runtime.faults import Faults


def install(faults: Faults) -> None:
    """Take over the interpreter's hooks for uncaught exceptions."""

    def uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        faults.bug("process", (error or kind()).with_traceback(trace))

    def thread_uncaught(arguments: threading.ExceptHookArgs) -> None:
        faults.bug("thread", arguments.exc_value or arguments.exc_type())

    def unraisable(arguments: Any) -> None:
        faults.bug("finalizer", arguments.exc_value or arguments.exc_type())

    sys.excepthook = uncaught
    threading.excepthook = thread_uncaught
    sys.unraisablehook = unraisable


def watch(loop: asyncio.AbstractEventLoop, faults: Faults) -> None:
    """Take over a loop's handler for exceptions in callbacks and abandoned tasks."""

    def failed(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        faults.bug("loop", error if isinstance(error, BaseException) else RuntimeError(str(context.get("message"))))

    loop.set_exception_handler(failed)
