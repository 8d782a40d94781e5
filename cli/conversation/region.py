"""The last rows of a terminal, which may be written anew; what stands above is left alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_ANSI = re.compile(r"(\x1b\[[0-9;]*m)")


class Region:
    """Rows below everything that is settled; the cursor stands behind the last one.

    ``write`` takes what goes to the terminal. Only what differs is written, and never a row that
    has left the screen, which is ``height`` rows high.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self.rows: list[str] = []

    def draw(self, rows: Sequence[str], height: int) -> None:
        """Show these rows in the place of those before; none may be wider than the screen."""
        old = self.rows
        same = 0
        for one, other in zip(old, rows, strict=False):
            if one != other:
                break
            same += 1
        same = max(same, len(old) - max(1, height - 1))
        self.rows = [*old[:same], *rows[same:]]
        if old != self.rows:
            self._write(self._change(old, self.rows, same))

    @staticmethod
    def _change(old: list[str], rows: list[str], same: int) -> str:
        """What brings the terminal from the old rows to the new ones; the first are the same."""
        new, last = rows[same:], len(old) - 1
        if same > last:  # below them all
            return ("\n" if old else "") + "\n".join(new)
        if same == last and new and new[0].startswith(old[last]):
            return "\n".join([new[0][len(old[last]) :], *new[1:]])
        up = last - same
        back = (f"\x1b[{up}A" if up else "") + "\r"
        if not new:  # nothing is left of it: the cursor goes behind the last row that stays
            return back + "\x1b[J" + (f"\x1b[A\r{rows[-1]}" if rows else "")
        return back + "\x1b[K\n".join(new) + "\x1b[K" + ("\x1b[J" if len(old) > len(rows) else "")

    def settle(self) -> None:
        """What is shown stays for ever."""
        if self.rows:
            self._write("\n")
            self.rows = []

    def __repr__(self) -> str:
        return f"<Region of {len(self.rows)} rows>"


def letters(rows: Sequence[str]) -> int:
    """How many characters are to be seen."""
    return sum(len("".join(visible(row).split())) for row in rows)


def visible(row: str) -> str:
    """Without its styles."""
    return _ANSI.sub("", row)


def behind(rows: Sequence[str], count: int) -> list[str]:
    """The rows without their first ``count`` visible characters; styles stay."""
    left: list[str] = []
    for row in rows:
        if count <= 0:
            left.append(row)
            continue
        kept = []
        for n, part in enumerate(_ANSI.split(row)):
            if n % 2:
                kept.append(part)
                continue
            at = 0
            while at < len(part) and count > 0:
                count -= not part[at].isspace()
                at += 1
            kept.append(part[at:])
        rest = "".join(kept)
        if visible(rest).strip():
            left.append(rest.lstrip())
    return left
