"""Copies: scans of single packs, what is odd about them, and the list that the clerk sees.

A label can be copied by anybody with a printer, so no page can say that a pack is genuine. What
can be seen is that one number is scanned in two provinces at once, by too many phones, before
it was in use or after its goods were destroyed. The consumer page calls ``note`` for each scan
of a pack and shows ``seen``; everything else happens in a thread (``recorder``) and in the rules
(``signs``, ``learning``), and ends in a list with reasons (``cases``, ``pages``).

Not here: what a shopper's page says otherwise, and which labels were issued.
"""

from nongso.platform.traceability.scans.recorder import Seen, note, seen, start

__all__ = ["Seen", "note", "seen", "start"]
