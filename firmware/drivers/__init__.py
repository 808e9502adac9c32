"""One chip a file. Bus or pin comes in as an argument.

``start`` and ``read`` are two calls, as ``nongso.node.hardware.Sensor`` describes.
"""
