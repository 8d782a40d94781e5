"""The lanes of a conversation: one for each route, whichever models it is a route of."""

from __future__ import annotations

from contextlib import AsyncExitStack

from ..lane import Lane
from ..lanes import Opening
from ..providers.registry import Route


class SharedLanes:
    """Opened with the first question that needs them, so that limits hold for all together."""

    __slots__ = ("_lanes", "_left")

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._left: list[Lane] = []

    def get(self, route: Route, opening: Opening, place: int) -> Lane:
        """One whose key was refused, or whose quota was used up, is opened anew."""
        name = route.target, route.model
        lane = self._lanes.get(name)
        if lane is not None and lane.dead is None:
            return lane
        if lane is not None:
            self._left.append(lane)
        lane = self._lanes[name] = opening.lane(route, place)
        return lane

    async def close_dead(self) -> None:
        """Close those that others have replaced, which nobody may be using."""
        await _close(self._left)

    async def aclose(self) -> None:
        """Close all of them."""
        self._left += self._lanes.values()
        self._lanes.clear()
        await _close(self._left)

    def __repr__(self) -> str:
        return f"<SharedLanes {[lane.label for lane in self._lanes.values()]}>"


async def _close(lanes: list[Lane]) -> None:
    async with AsyncExitStack() as stack:
        while lanes:
            stack.push_async_callback(lanes.pop().provider.aclose)
