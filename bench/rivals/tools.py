"""Which tools, in which versions, over how many rows, and how much dearer each is said to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

CLIENTS = Path(__file__).resolve().parent / "clients"
UVLOOP = "uvloop==0.23.0"


class Tool(Struct, frozen=True):
    """``pins`` are what pip installs; ``client`` is a script in ``clients/``.

    ``plain`` and ``streamed``: rows of a run, fewer where a request costs more. ``plain_asked`` and
    ``streamed_asked``: how many times the CPU time of llmbatch it has to cost at least, if asked.
    ``environ`` is set when it runs.
    """

    name: str
    pins: Sequence[str]
    client: str
    plain: int
    streamed: int
    plain_asked: float | None = None
    streamed_asked: float | None = None
    environ: Mapping[str, str] = {}

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.pins[0].rpartition('==')[2]}"

    @property
    def script(self) -> Path:
        return CLIENTS / self.client


TOOLS: Sequence[Tool] = (
    Tool(
        name="flexllm",
        pins=("flexllm==0.17.10", "aiohttp==3.14.5", UVLOOP),
        client="with_flexllm.py",
        plain=5_000,
        streamed=3_000,
        plain_asked=2,
    ),
    Tool(
        name="openai SDK",
        pins=("openai[aiohttp]==3.57.0", "aiohttp==3.14.5", UVLOOP),
        client="with_openai.py",
        plain=1_500,
        streamed=1_000,
        plain_asked=15,
    ),
    Tool(
        name="litellm",
        pins=("litellm==1.110.2", "openai==3.57.0", "aiohttp==3.14.5", UVLOOP),
        client="with_litellm.py",
        plain=800,
        streamed=400,
        plain_asked=15,
        streamed_asked=50,
        environ={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},  # else it fetches prices at each start
    ),
)
