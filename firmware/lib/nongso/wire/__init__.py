"""The words that node, gateway and platform share: metrics, marks, topics, payload, reasons.

Runs on MicroPython and on CPython and imports nothing else of ours. Records are
named tuples, because a board has no ``dataclasses``, ``typing`` or ``enum``.
"""
