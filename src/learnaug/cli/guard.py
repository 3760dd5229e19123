"""From a call to an exit status: errors as messages, signals as a way to go on, and no traceback.

Exit status: 0 done, 2 wrong call, 65 bad data, 66 missing input, 70 a fault of ours, 73 cannot
create, 74 disk, 75 in use (try again later), 130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from learnaug.errors import LearnaugError, RunError, UsageError, printable

__all__ = ["Interrupted", "going_on", "main", "run"]

FAULT = 70  # EX_SOFTWARE of sysexits.h
DISK = 74
PIPE_CLOSED = 1
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal asked to stop.

    Args:
        signum: SIGINT or SIGTERM.
        command: the exact command that goes on; "" for the same command again.
    """

    def __init__(self, signum: int, command: str = "") -> None:
        super().__init__()
        self.signum = signum
        self.command = command


def main() -> None:
    """Run `learnaug` with the arguments of the process and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit status.

    With `--json`, an error is one JSON document on standard output too; with `--debug`, it is
    raised with its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without ± must not end a comparison
            stream.reconfigure(errors="backslashreplace")
    before = _listen(_first_signal)
    try:
        return _invoke(list(args))
    except KeyboardInterrupt as stop:
        _listen(_second_signal)
        return _tell_stop(stop, args)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the last flush does not fail again
        return PIPE_CLOSED
    except Exception as fault:
        if "--debug" in args:
            raise
        return _tell_error(_as_error(fault), args)
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextmanager
def going_on(command: Callable[[], str]) -> Iterator[None]:
    """Let a stop inside the block end with this command as its last line."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(_signum(stop), command()) from stop


def _invoke(args: list[str]) -> int:
    # The command object is called directly: the `main` of typer turns a Ctrl-C into an exit
    # status and loses what it carries.
    import typer

    from learnaug.cli.app import app

    try:
        command = typer.main.get_command(app)
        with command.make_context("learnaug", args) as context:
            command.invoke(context)
    except typer.Exit as end:
        return int(end.exit_code)
    except typer.Abort:
        raise KeyboardInterrupt from None
    return 0


def _as_error(fault: Exception) -> LearnaugError:
    """Return the message of any exception; those of typer carry a `format_message`."""
    if isinstance(fault, LearnaugError):
        return fault
    if hasattr(fault, "format_message"):
        context = getattr(fault, "ctx", None)
        path = context.command_path if context else "learnaug"
        return UsageError(_sentence(fault.format_message()), mend=f"{path} --help")
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        where = [str(fault.filename)] if fault.filename else []
        return RunError(f"the disk fails: {fault.strerror}", where, "make room, then resume",
                        code=DISK)  # fmt: skip
    words = f"internal error: {type(fault).__name__}: {fault}"
    return RunError(words, mend="run again with --debug and report what it prints", code=FAULT)


def _sentence(text: str) -> str:
    return text.strip().rstrip(".")


def _tell_error(error: LearnaugError, args: Sequence[str]) -> int:
    sys.stderr.write(f"error: {error}\n")
    _tell_json(args, what=error.what, where=error.where, mend=error.mend, code=error.code)
    return error.code


def _tell_stop(stop: KeyboardInterrupt, args: Sequence[str]) -> int:
    code = 128 + _signum(stop)
    command = getattr(stop, "command", "") or shlex.join(["learnaug", *args])
    _tell_json(args, what="stopped", where=(), mend=command, code=code)
    sys.stderr.write(f"\nstopped; all that was done is kept. To go on:\n{printable(command)}\n")
    return code


def _tell_json(args: Sequence[str], **error: Any) -> None:
    if "--json" in args:
        from learnaug.cli.tables import print_json

        print_json({"error": error})


def _signum(stop: KeyboardInterrupt) -> int:
    return int(getattr(stop, "signum", 0)) or int(signal.SIGINT)


def _listen(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Set the handler of both signals and return those before; nothing outside the main thread."""
    try:
        return {signum: signal.signal(signum, handler) for signum in SIGNALS}
    except ValueError:
        return {}


def _first_signal(signum: int, frame: FrameType | None) -> None:
    _listen(_second_signal)
    raise Interrupted(signum)


def _second_signal(signum: int, frame: FrameType | None) -> None:
    os._exit(128 + signum)
