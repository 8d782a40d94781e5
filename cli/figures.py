"""How far a job has come, in the words and numbers that a person wants to read."""

from __future__ import annotations

from collections.abc import Sequence

from llmbatch.jobs.outlook import Outlook


class Figures(Outlook):
    """The outlook in words: this one is about rows."""

    unit = "rows"
    """What stands behind the count where no bar says it."""

    pace = "rows"
    """What there is so many of in a second."""

    def __repr__(self) -> str:
        return f"<Figures {', '.join(self.parts())}>"

    @property
    def counted(self) -> str:
        total = self.tally.started.total
        return str(self.done) if total is None else f"{self.done}/{total}"

    @property
    def percent(self) -> int:
        """Rounded down: 100 only when all is done."""
        at, whole = self.reached
        return 100 * at // (whole or at or 1)

    @property
    def cost(self) -> str:
        """``$0.0123``, and of how much where there is a cap, which earlier runs count for, too."""
        started, cost = self.tally.started, self.tally.bill.cost
        if started.max_cost is not None:
            return f"{money((cost or 0.0) + started.spent_before)} of {money(started.max_cost)}"
        return "" if cost is None else money(cost)

    def beside(self) -> list[str]:
        """What else is counted."""
        return []

    def parts(self, unit: str = "") -> list[str]:
        """What there is to say, the most wanted first."""
        tally = self.tally
        parts = [f"{self.counted} {unit}".rstrip()]
        if self.failed:
            parts.append(f"{self.failed} failed")
        parts += self.beside()
        if self.stopping:
            parts.append("stopping")
        elif self.left:
            parts.append(f"{duration(self.left)} left")
        if self.ran:
            parts.append(f"{rate(self.ran / self.elapsed)} {self.pace}/s")
        elif not self.stopping and self.to_come != 0:
            parts.append("waiting for the first answer")
        if tally.usage.output_tokens:
            parts.append(f"{rate(tally.usage.output_tokens / self.elapsed)} tokens/s")
        if self.cost:
            parts.append(self.cost)
        first = tally.traffic.get(tally.started.model)
        if first is not None and first.concurrency is not None:
            parts.append(f"{first.concurrency} at a time")
        return parts


def fit(parts: Sequence[str], room: int) -> str:
    """As many of the parts as ``room`` columns hold; always the first."""
    text = parts[0]
    for part in parts[1:]:
        if len(text) + len(part) + 2 > room:
            break
        text += f", {part}"
    return text


def rate(value: float) -> str:
    """``0.04``, ``3.12``, ``250``, ``12,000``: two or three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def money(usd: float) -> str:
    """``$0.000012``, ``$0.0123``, ``$3.50``, ``$1,234.50``; what is not nothing never looks it."""
    if usd < 1e-6:
        return "less than $0.000001" if usd else "$0"
    if usd < 0.01:
        return f"${usd:.6f}"
    return f"${usd:.4f}" if usd < 1 else f"${usd:,.2f}"


def duration(seconds: float) -> str:
    """``9s``, ``4m05s``, ``3h07m``, ``2d04h``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"
