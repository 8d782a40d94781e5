"""What the tests of the page look at, and an answer that would like to be more than text."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from faultserver import FaultServer

HOSTILE = (
    "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>\n"
    "\x1b[31mred\x1b[0m \u202egnp.exe\u202c \x00 [a link](javascript:alert(1)) "
    "שלום עולם و مرحبا\n```\n</pre><b>bold</b>"
)
"""An answer that would like to be more than text."""


class Site(NamedTuple):
    """A server of the page over ``folder``, whose chat and jobs ask ``provider``."""

    address: str
    root: str
    folder: Path
    provider: FaultServer

    def at(self, view: str) -> str:
        """The address of a view, such as ``#/chat``."""
        return self.address + view

    @property
    def environ(self) -> dict[str, str]:
        """For jobs that are to be seen on the page."""
        return {"XDG_RUNTIME_DIR": str(self.folder)}
