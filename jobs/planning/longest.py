"""The longest answer of a request, where it or its model names one."""

from __future__ import annotations

from collections.abc import Mapping

from ..budget.worstcase import worst_case
from ..errors import Unbounded
from ..model import Request
from ..tokens import TokenCounter
from .asks import UNKNOWN

_MORE = frozenset({"best_of", "prediction", "generation_config", "generationConfig", "thinking"})


class Longest:
    """Tokens; :data:`.asks.UNKNOWN` where nobody knows. ``provider`` is as results show it.

    The rule is that of :mod:`..budget.worstcase`; rows with the same limit share its answer.
    """

    __slots__ = ("_counter", "_known", "_provider")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._counter = TokenCounter()
        self._known: dict[tuple[str, str, int], int] = {}

    def cap(self, request: Request) -> int:
        """What the request itself allows; 0 where it names no limit."""
        if request.endpoint == "embeddings":
            return 0
        return max(0, request.max_tokens or 0)

    def __call__(self, request: Request, cap: int) -> int:
        """``cap`` is what :meth:`cap` says of it."""
        if not (_plain(request.params) and _plain(request.extra)):
            return self._look_up(request)
        place = request.endpoint, request.model, cap
        found = self._known.get(place)
        if found is None:
            found = self._known[place] = self._look_up(request)
        return found

    def _look_up(self, request: Request) -> int:
        try:
            return worst_case(request, self._provider, self._counter).output
        except Unbounded:
            return UNKNOWN

    def __repr__(self) -> str:
        return f"<Longest answers of {self._provider}>"


def _plain(params: Mapping[str, object]) -> bool:
    return not params or _MORE.isdisjoint(params)
