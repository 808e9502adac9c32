"""The watering rules: a room without windows.

Values and ``now`` in, decisions with reason codes out; no bus, broker, disk, socket or clock.
``gate`` is the one way to every start, ``band`` the moisture rule, ``zone`` the states of a zone.
The doing is in ``gateway/watering.py``.
"""
