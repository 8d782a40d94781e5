"""The options of a conversation: those of a job that are about the asking."""

from __future__ import annotations

from .costoptions import BUDGET
from .joboptions import ANSWERS, FILES, MODEL, WHO
from .options import option
from .paceoptions import PATIENCE, RATES, SHARED_LIMIT

SYSTEM = option(
    MODEL, "--system", metavar="TEXT|@FILE", help="System message (default: none, or the YAML's)."
)

TALK = (SYSTEM, *WHO, *ANSWERS, *BUDGET, *RATES, SHARED_LIMIT, *PATIENCE, *FILES)
"""Who is asked, how, and what it may cost."""
