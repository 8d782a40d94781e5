"""What the requests of one model are expected to use, and what at worst. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from ..model import Usage
from ..prices.book import PriceBook
from ..tokens import counts_exactly
from .asks import UNKNOWN, Asks
from .earlier import Answered
from .estimates import Answers, InputScale, Sample, Whole


class Experience(Struct, frozen=True):
    """What answered rows used, by the name of their model."""

    samples: Mapping[str, Sequence[Sample]]
    answered: Mapping[str, Sequence[Answered]]


class ModelForecast:
    """``output_worst`` and ``usd_worst`` are None where nobody knows how long an answer can get."""

    def __init__(self, asks: Asks, experience: Experience, prices: PriceBook) -> None:
        samples = experience.samples.get(asks.model, ())
        answered = experience.answered.get(asks.model, ())
        self.asks = asks
        self.scale = InputScale(samples)
        self.answers = Answers(samples)
        self.price = prices.of(asks.provider, asks.model)
        self.billed = prices.billed(asks.provider)
        self.label = f"{asks.provider}/{asks.model}"
        read = sum(one.usage.input_tokens for one in answered)
        self._cached = sum(one.usage.cached_tokens for one in answered) / read if read else 0.0
        taken = sum(one.seconds for one in answered)
        self.seconds = len(asks.counted) * taken / len(answered) if answered else None
        self.output_worst: int | None = None
        self.usd_worst: float | None = None
        if UNKNOWN not in asks.longest:
            self.output_worst = sum(asks.longest)
            self.usd_worst = self._at_worst()

    def requests(self) -> Iterator[tuple[Usage, float]]:
        """What each of them is expected to use, and its USD (0 where there is no price)."""
        read, said, cached = Whole(), Whole(), Whole()
        scale, answers, price = self.scale, self.answers, self.price
        asks = self.asks
        for counted, cap, longest in zip(asks.counted, asks.caps, asks.longest, strict=True):
            tokens = read(scale(counted))
            length = answers(counted, cap or max(0, longest)) if longest else 0.0
            usage = Usage(tokens, said(length), cached(tokens * self._cached))
            yield usage, 0.0 if price is None else price.cost(usage)

    @property
    def exact(self) -> bool:
        """Whether the count of the input is the provider's own."""
        return counts_exactly(self.asks.model) and self.scale.exact

    @property
    def input_basis(self) -> str:
        if self.exact:
            return "counted in the model's own vocabulary"
        if not self.scale.samples:
            return "counted in another vocabulary than the model's"
        rows = (
            "1 answered row" if self.scale.samples == 1 else f"{self.scale.samples:,} answered rows"
        )
        return f"counted, and fitted to {rows}"

    @property
    def source(self) -> str:
        """Where its price is from."""
        if self.price is not None:
            return self.price.source
        return "no bill: it runs on a machine of one's own"

    def _at_worst(self) -> float:
        if self.price is None:
            return 0.0
        worst, scale, asks = self.price.worst, self.scale, self.asks
        alike = Counter(zip(asks.counted, asks.longest, strict=True))
        return sum(
            requests * worst(round(scale(counted)), longest)
            for (counted, longest), requests in alike.items()
        )

    def __repr__(self) -> str:
        return f"<ModelForecast of {self.label}, {len(self.asks.counted)} requests>"
