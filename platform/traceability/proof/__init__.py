"""The log of everything recorded, and what it proves: unchanged since, never true.

Who verifies a file needs neither Flask nor a database: ``lotproof`` and what it imports know
neither. The rest of the room keeps the log, signs it and shows it.
"""
