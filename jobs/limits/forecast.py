"""What a request will probably cost in tokens."""

from __future__ import annotations

import math

from ..errors import TooLarge
from ..model import Request, Usage
from ..tokens import TokenCounter, estimate_tokens

FIRST_GUESS = 256
"""Output tokens expected of a request that names no limit, before any has been settled."""

MEMORY = 100
"""About how many of the latest answers the expected length is the mean of."""


class Forecast:
    """Counts what goes in, and expects what comes out from the answers so far."""

    __slots__ = ("_counter", "_mean", "_settled")

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter
        self._mean = 0.0
        self._settled = 0

    def count(self, request: Request) -> int:
        """Tokens of the input."""
        return self._counter.count(request)

    def checked(self, request: Request, tpm: float) -> int:
        """As :meth:`count`; raises TooLarge where the request alone is beyond a minute's budget."""
        tokens = self._counter.count(request)
        answer = longest_of(request) or 0
        if tokens + answer > tpm:
            raise TooLarge(
                f"the request needs {tokens} input tokens"
                + (f" and up to {answer} output tokens" if answer else "")
                + f", more than --tpm {tpm:g} allows in a whole minute: "
                "shorten it, lower max_tokens, or raise --tpm"
            )
        return tokens

    def cost(self, request: Request, input_tokens: int) -> int:
        """Input and expected output: the mean of settled answers, within ``max_tokens``."""
        return self.expect(input_tokens, longest_of(request))

    def expect(self, input_tokens: int, longest: int | None) -> int:
        """As :meth:`cost`, of a request whose answer has at most ``longest`` tokens."""
        if not self._settled:
            expected = FIRST_GUESS if longest is None else longest
        else:
            expected = math.ceil(self._mean)
            if longest is not None:
                expected = min(expected, longest)
        return input_tokens + expected

    def learn(self, usage: Usage) -> None:
        """An answer has come."""
        self._settled += 1
        self._mean += (usage.output_tokens - self._mean) / min(self._settled, MEMORY)

    def __repr__(self) -> str:
        return f"<Forecast: {self._mean:.0f} output tokens, of {self._settled} answers>"


class Estimating(TokenCounter):
    """Counts about, by :func:`..tokens.estimate_tokens`: no vocabulary is read for a limit that
    nobody asked for."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self._count = _about


def _about(text: str, encoding: str) -> int:  # noqa: ARG001 - stands where a vocabulary counts
    return estimate_tokens(text)


def longest_of(request: Request) -> int | None:
    """The longest answer in tokens; None where it is not known."""
    if request.endpoint == "embeddings":
        return 0
    longest = request.max_tokens
    return None if longest is None else max(0, longest)
