"""The gate of a route: how many requests are in flight, and how many leave a minute."""

from .gate import open_gate

__all__ = ["open_gate"]
