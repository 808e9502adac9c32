"""Samples and laboratory tests, and what holds a lot back."""
