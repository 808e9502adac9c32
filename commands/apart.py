"""A piece of work in a process of its own: its memory goes with it, and so does its fall.

Ctrl-C in the terminal does not reach it; whoever waits for it is asked whether to go on
waiting, and tends the farm meanwhile.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from nongso.commands.errors import CommandError
from nongso.commands.lastwords import advice

_LOOK_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1


def do(
    work: Callable[..., Any], *arguments: object, log: Path, meanwhile: Callable[[], None]
) -> Any:
    """Do the work and return what it returns.

    ``meanwhile`` is called ten times a second and may raise: the work is then ended. Raises
    ``CommandError`` with the work's reason when it fails; a traceback goes to ``log``.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, log, work, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        while not ours.poll(_LOOK_SECONDS):
            meanwhile()
        good, answer = ours.recv()
    except EOFError:
        process.join()
        raise CommandError(
            f"its process ended with status {process.exitcode}; see {log}"
        ) from None
    finally:
        ours.close()
        process.terminate()
        process.join()
        process.close()
    if not good:
        raise CommandError(answer)
    return answer


def _work(
    answers: Connection, log: Path, work: Callable[..., Any], arguments: tuple[object, ...]
) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _write_to(log)
    try:
        answers.send((True, work(*arguments)))
    except Exception as e:
        answers.send((False, reason(e, log)))


def _write_to(log: Path) -> None:
    """Let everything that is printed end in the log; without one it is not kept."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def reason(error: Exception, log: Path | None = None) -> str:
    """Say why something failed: the rooms' own errors are sentences, others are faults."""
    if type(error).__module__.startswith("nongso."):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}. {advice(error.strerror)}".rstrip()
    with contextlib.suppress(OSError):  # the terminal may be gone
        traceback.print_exception(error, file=sys.stderr)
        sys.stderr.flush()
    first = (str(error).splitlines() or [""])[0]
    more = f" (more in {log})" if log is not None else ""
    return f"{type(error).__name__}: {first}{more}. {advice(first)}".rstrip()
