"""From requests that would be sent to tokens, USD and time. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from ..config import JobConfig
from ..manifest.manifest import Carried, Manifest
from ..prices.book import PriceBook
from ..providers.registry import Route
from .asks import Asks
from .modelforecast import Experience, ModelForecast
from .plan import Cap, Cost, Time, Tokens


class Forecast:
    """The sums over all requests, in the order in which they would be sent."""

    def __init__(
        self, models: Sequence[Asks], order: array[int], experience: Experience, prices: PriceBook
    ) -> None:
        self._models = [ModelForecast(asks, experience, prices) for asks in models]
        self._order = order
        self._prices = prices
        self.input = 0
        self.output = 0
        self._money = array("d")  # expected USD of each request
        self._tokens = array("Q")
        places = [model.requests() for model in self._models]
        for number in order:
            usage, usd = next(places[number])
            self.input += usage.input_tokens
            self.output += usage.output_tokens
            self._money.append(usd)
            self._tokens.append(usage.input_tokens + usage.output_tokens)

    def tokens(self) -> Tokens:
        models = self._models
        exact = all(model.exact for model in models)
        worst = [model.output_worst for model in models]
        return Tokens(
            input=self.input,
            input_exact=exact,
            input_basis=_joined(model.input_basis for model in models),
            output=self.output,
            output_basis=_joined(model.answers.basis for model in models),
            output_worst=None if None in worst else sum(tokens or 0 for tokens in worst),
        )

    def cost(self) -> Cost:
        models = self._models
        unpriced = [model for model in models if model.price is None and model.billed]
        worst = [model.usd_worst for model in models]
        return Cost(
            expected_usd=None if unpriced else round(sum(self._money), 12),
            worst_usd=None
            if unpriced or None in worst
            else round(sum(w or 0.0 for w in worst), 12),
            prices={model.label: model.source for model in models if model not in unpriced},
            unpriced=[
                self._prices.unknown(model.asks.provider, model.asks.model) for model in unpriced
            ],
        )

    def cap(self, config: JobConfig, spent: Carried) -> Cap | None:
        """What a budget leaves undone; None where there is none."""
        if config.max_cost is None and config.max_tokens_total is None:
            return None
        usd, tokens = spent.usd or 0.0, spent.tokens
        fits = 0
        for money, used in zip(self._money, self._tokens, strict=True):
            usd, tokens = usd + money, tokens + used
            if config.max_cost is not None and usd > config.max_cost:
                break
            if config.max_tokens_total is not None and tokens > config.max_tokens_total:
                break
            fits += 1
        return Cap(
            max_cost=config.max_cost,
            max_tokens_total=config.max_tokens_total,
            spent_usd=spent.usd,
            spent_tokens=spent.tokens,
            left_undone=len(self._order) - fits,
        )

    def time(self, route: Route, manifest: Manifest | None) -> Time:
        """As far as limits and earlier answers tell; learned limits are those of ``manifest``."""
        requests = len(self._order)
        learned = None if manifest is None else manifest.limits.get(route.label)
        rpm = route.rpm or (learned and learned.rpm)
        tpm = route.tpm or (learned and learned.tpm)
        width = route.concurrency if isinstance(route.concurrency, int) else None
        width = width or (learned and learned.concurrency) or None
        busy = [model.seconds for model in self._models]
        whole = sum(seconds or 0.0 for seconds in busy)
        found = {
            "rpm_s": requests * 60 / rpm if rpm else None,
            "tpm_s": (self.input + self.output) * 60 / tpm if tpm else None,
            "latency_s": whole / min(width, max(1, requests))
            if width and None not in busy
            else None,
        }
        known = [seconds for seconds in found.values() if seconds is not None]
        rounded = {name: None if s is None else round(s, 3) for name, s in found.items()}
        return Time(
            **rounded, concurrency=width, expected_s=round(max(known), 3) if known else None
        )

    def __repr__(self) -> str:
        return f"<Forecast of {len(self._order)} requests>"


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(parts))
