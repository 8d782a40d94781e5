"""Metric families as they are made: each with the label ``output``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from .buckets import Distribution
from .labels import label

Values = Iterable[tuple[tuple[str, ...], float]]
"""Values by their labels, but for ``output``."""


class Families(Struct, frozen=True):
    """Makes families of metrics whose samples all have this ``output``."""

    output: str

    def one(self, name: str, text: str, value: float) -> Metric:
        """A gauge without another label."""
        return self.gauge(name, text, (), [((), value)])

    def count(self, name: str, text: str, value: float) -> Metric:
        """A counter without another label; its name is given without ``_total``."""
        return self.counter(name, text, (), [((), value)])

    def counts(self, name: str, text: str, by: str, values: Mapping[str, float]) -> Metric:
        """A counter with one label, whose values may be anybody's words."""
        return self.counter(
            name, text, (by,), (((label(key),), value) for key, value in values.items())
        )

    def gauge(self, name: str, text: str, labels: Sequence[str], values: Values) -> Metric:
        return self._filled(GaugeMetricFamily(name, text, labels=(*labels, "output")), values)

    def counter(self, name: str, text: str, labels: Sequence[str], values: Values) -> Metric:
        return self._filled(CounterMetricFamily(name, text, labels=(*labels, "output")), values)

    def histogram(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        values: Iterable[tuple[tuple[str, ...], Distribution]],
    ) -> Metric:
        """Of those that have counted anything."""
        family = HistogramMetricFamily(name, text, labels=(*labels, "output"))
        for who, found in values:
            if found.count:
                family.add_metric((*who, self.output), _le(found), found.total)
        return family

    def _filled(self, family: CounterMetricFamily | GaugeMetricFamily, values: Values) -> Metric:
        for found, value in values:
            family.add_metric((*found, self.output), value)
        return family


def _le(found: Distribution) -> list[tuple[str, float]]:
    bounds = [f"{bound:g}" for bound in found.bounds]
    return list(zip([*bounds, "+Inf"], found.cumulated, strict=True))
