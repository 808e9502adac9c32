"""Runs test files under MicroPython: ``micropython runner.py FILE...``.

Each function called ``test_…`` is a test; ``scratch`` as its argument is an empty folder.
Prints what failed, then ``N passed, N failed`` on the last line.
"""

# ruff: noqa: SIM105 (there is no contextlib)

import os
import sys


def empty(folder):
    """Make a folder, or empty the one that is there."""
    try:
        os.mkdir(folder)
    except OSError:
        pass
    for entry in os.ilistdir(folder):
        path = folder + "/" + entry[0]
        if entry[1] & 0x4000:
            empty(path)
            os.rmdir(path)
        else:
            os.remove(path)


passed = failed = 0
for file in sys.argv[1:]:
    found = {"__name__": "tests"}
    with open(file) as source:
        exec(compile(source.read(), file, "exec"), found)
    for name in sorted(found):
        if not name.startswith("test_"):
            continue
        try:
            try:
                found[name]()
            except TypeError as e:
                if "positional" not in str(e):
                    raise
                empty("scratch")
                found[name]("scratch")
            passed += 1
        except Exception as e:
            failed += 1
            print("FAILED", file, name)
            sys.print_exception(e)
print(f"{passed} passed, {failed} failed")
