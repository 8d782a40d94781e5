"""What an analysis will do, found out before anything is sent: its words, sizes and requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .analysisfiles import Files
from .chronicle import Facts
from .config import AnalyzeConfig, JobConfig
from .drain import Drain
from .emptyanswers import NeverEmpty
from .errors import ConfigError
from .fold.part import Part
from .manifest.masks import masked_config
from .model import Chunk, Fold, Request
from .ports import Clock, Observer, Worker
from .promptfile import PromptFile
from .prompts import TASK, Prompts
from .providers.registry import Route
from .sizes import HEAD, plan_sizes
from .sources.chunks.cut import Cut
from .sources.fingerprint import fingerprint
from .sources.parameters import job_params
from .sources.stored import STDIN, is_regular
from .tokens import TextCounter

if TYPE_CHECKING:
    from .structured.schema import Schema

LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
"""The names that the longest answer has among request parameters."""

SMALL = {"temperature": 0, "frequency_penalty": 0.5}
"""What the embedded model is asked with, where the user asks for nothing else: it is so small that
it strays from the text, and without the penalty repeats itself until its limit."""

SMALL_DATA = {"temperature": 0}
"""The same for data, whose keys come again and again."""

Mode = Literal["summary", "concat", "merge", "none"]
"""What becomes of the chunks' answers."""


class Outline(Protocol):
    """Of a :class:`.pipeline.Pipeline` what can be said without a key."""

    @property
    def config(self) -> JobConfig: ...

    @property
    def routes(self) -> Sequence[Route]: ...

    @property
    def first(self) -> Route: ...

    @property
    def drain(self) -> Drain: ...

    @property
    def clock(self) -> Clock: ...


class AnalysisPlan:
    """Raises ConfigError where it can't work, SourceError where a document can't be read."""

    def __init__(self, pipeline: Outline, config: AnalyzeConfig) -> None:
        self.files = Files(config)
        self.mode = _mode(config)
        self.task = (config.task or "").strip() or TASK
        self._pipeline = pipeline
        self.schema = _schema(config)
        prompts = Prompts(
            task=config.task,
            system=config.system,
            map_template=_prompt_file(config.map_prompt, "--map-prompt"),
            fold_template=_prompt_file(config.fold_prompt, "--fold-prompt"),
            quotes=config.quotes,
            previous=config.context == "previous",
            instruction=self._instruction(),
        )
        self.tokens = TextCounter(pipeline.first.model)
        params, extra = job_params(config.params, "chat")
        if pipeline.first.embedded is not None:
            params = {**(SMALL if self.schema is None else SMALL_DATA), **params}
        self.sizes = plan_sizes(config, pipeline.routes, prompts.overhead(self.tokens.count))
        if not any(name in params or name in extra for name in LIMITS):
            params = {**params, _limit_name(pipeline.first): self.sizes.answer}
        self.requests = Requests(
            pipeline.first, prompts, self.files.title, (params, extra), self._form()
        )

    def part_tokens(self, part: Part) -> int:
        """Tokens of a part as a fold is shown it."""
        return self.tokens.count(part.text) + HEAD

    def facts(self) -> Facts:
        """What the analysis' manifest says of it."""
        config, files = self._pipeline.config, self.files
        return Facts(
            job="analyze",
            output=files.results,
            format="jsonl",
            config=masked_config(config, AnalyzeConfig),
            routes=self._pipeline.routes,
            files=[
                (one.path, one.path != STDIN and is_regular(one.path)) for one in files.documents
            ],
            schema=None if self.schema is None else self.schema.text,
            fresh=config.fresh,
        )

    def around(self, observe: Observer) -> Callable[[Worker], Worker]:
        """What is put around the asking of a row: the checks of its answer."""
        schema = self.schema
        if schema is None:
            return NeverEmpty
        from .structured.asking import Validated  # the extra `schema`

        drain = self._pipeline.drain
        return lambda worker: NeverEmpty(
            Validated(
                worker,
                schema,
                clock=self._pipeline.clock,
                observer=observe,
                ending=lambda: drain.stop is not None,
            )
        )

    def _instruction(self) -> str | None:
        if self.schema is None:
            return None
        from .structured.request import instruction

        return instruction(self.schema)

    def _form(self) -> Mapping[str, Any]:
        if self.schema is None:
            return {}
        from .structured.request import params_for

        routes = ((route.dialect, route.model) for route in self._pipeline.routes)
        return params_for(self.schema, routes)

    def __repr__(self) -> str:
        return f"<AnalysisPlan {self.files!r}, {self.mode}, {self.sizes!r}>"


class Requests:
    """Makes the requests of an analysis, as the first route is to be asked them.

    ``params`` are those of a fold, ``map_params`` those of a chunk.
    """

    def __init__(
        self,
        route: Route,
        prompts: Prompts,
        title: str,
        params: tuple[Mapping[str, Any], Mapping[str, Any]],
        map_params: Mapping[str, Any],
    ) -> None:
        self._route = route
        self._prompts = prompts
        self._title = title
        self._params, self._extra = params
        self._map_params = {**self._params, **map_params}

    def chunk(self, cut: Cut, chunk: Chunk, title: str) -> Request:
        messages = self._prompts.map(cut, title)
        return self._request(
            f"chunk-{chunk.number}", chunk.number, chunk.document, messages, self._map_params, chunk
        )

    def fold(self, text: str, fold: Fold) -> Request:
        messages = self._prompts.fold(text, self._title, fold.final)
        row_id = f"fold-{fold.level}-{fold.number}"
        return self._request(row_id, fold.number, "", messages, self._params, fold)

    def _request(
        self,
        row_id: str,
        line: int,
        path: str,
        messages: Sequence[Mapping[str, Any]],
        params: Mapping[str, Any],
        about: Chunk | Fold,
    ) -> Request:
        route = self._route
        body = {**params, **self._extra}
        body.pop("stream_options", None)
        mark = {"chunk": about} if isinstance(about, Chunk) else {"fold": about}
        return Request(
            id=row_id,
            line=line,
            path=path,
            endpoint="chat",
            model=route.model,
            fingerprint=fingerprint(route.target, "chat", route.model, messages, None, body),
            messages=messages,
            params=params,
            extra=self._extra,
            **mark,
        )

    def __repr__(self) -> str:
        return f"<Requests to {self._route.label}>"


def _mode(config: AnalyzeConfig) -> Mode:
    if config.schema is None or config.fold == "none":
        return config.fold
    if config.fold == "concat":
        raise ConfigError("--fold concat: with --schema the answers are data, which are merged")
    return "merge"


def _schema(config: AnalyzeConfig) -> Schema | None:
    if config.schema is None:
        return None
    if config.quotes:
        raise ConfigError("--quotes: with --schema the answers are data, which have no quotes")
    from .structured.schema import Schema

    return Schema.of(config.schema)


def _prompt_file(path: str | None, flag: str) -> PromptFile | None:
    if path is None:
        return None
    try:
        return PromptFile(path, Path(path).read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{flag}: {path} is not UTF-8 (byte {error.start})") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(f"{flag}: can't read {path}: {reason}") from None


def _limit_name(route: Route) -> str:
    """OpenAI's newer models know only the newer name, other servers at least the older one."""
    known = route.dialect.takes.get("chat", frozenset())
    return LIMITS[0] if LIMITS[0] in known else LIMITS[1]
