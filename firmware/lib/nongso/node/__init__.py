"""The node's own logic: sample, keep in the ring, publish, forget when the gateway has it.

Runs on MicroPython (boards, and the interpreter for a PC) and on CPython; hardware comes
in as arguments, described in ``hardware``. Imports ``nongso.wire`` and nothing else of ours.
"""

VERSION = "0.1.0"
