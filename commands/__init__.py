"""The ``nongso`` command: reads arguments, starts rooms; the only one that knows all of them."""
