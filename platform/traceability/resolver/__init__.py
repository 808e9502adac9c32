"""What an address answers besides its page: links, languages, redirects, data for machines.

Nothing is re-exported here: name the module you need (``answers``, ``names``, ``linkset``, …).
"""
