"""EPCIS 2.0: the shape of our own events, what others send us, and what may be asked.

Nothing is re-exported here: name the module you need (``shaping``, ``model``, …).
"""
