"""The limits that a server named, where they may differ by model."""

from __future__ import annotations

from ..model import Quota

MODELS = 64
"""Models that are told apart; rows may name any number."""


class Learned:
    """``rpm`` and ``tpm``: the smallest that were heard, None where none was.

    One route has one budget, whatever models its rows name, so the strictest holds.
    """

    __slots__ = ("_heard", "rpm", "tpm")

    def __init__(self) -> None:
        self._heard: dict[str, tuple[float | None, float | None]] = {}
        self.rpm: float | None = None
        self.tpm: float | None = None

    def hear(self, model: str, quota: Quota) -> bool:
        """Take in what an answer of ``model`` says; True where the smallest changed."""
        known = self._heard.get(model)
        if known is None:
            if len(self._heard) >= MODELS:
                model = ""
            known = (None, None)
        said = (quota.rpm or known[0], quota.tpm or known[1])
        if said == known:
            return False
        self._heard[model] = said
        before = (self.rpm, self.tpm)
        self.rpm = min((rpm for rpm, _ in self._heard.values() if rpm), default=None)
        self.tpm = min((tpm for _, tpm in self._heard.values() if tpm), default=None)
        return before != (self.rpm, self.tpm)

    def __repr__(self) -> str:
        return f"<Learned: rpm {self.rpm}, tpm {self.tpm}, of {len(self._heard)} models>"
