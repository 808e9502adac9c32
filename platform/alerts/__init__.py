"""Alerts: who is told what, when, over which way, until somebody has heard.

``rules`` (limits as data) and ``deciding`` (values and ``now`` in, events out) are pure.
``findings`` reads how the farms are, ``records`` keeps what was decided, ``watch`` is the thread
that does it again and again, ``outbox`` sends. One door to each way out: ``ways`` (Apprise),
``push`` (Web Push), ``zalo`` (Zalo as an Apprise plugin).
"""
