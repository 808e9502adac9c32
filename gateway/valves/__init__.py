"""The valve supervisor: its own small process, sole master of the fieldbus.

``plan``, ``coils`` and ``water`` decide (values and ``now`` in, actions out), ``supervisor`` talks
to bus and socket, ``client`` is the gateway's side of the socket, ``emergency`` closes without a
gateway.
Nothing here knows "open": only "open for N seconds".
"""
