"""One line to one row: recognise its shape, check it, lay it over what the job says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..dialects import ALL
from ..errors import ConfigError
from ..fitting import Fit
from ..model import Endpoint, Row
from .content import CONTENT, chat_messages, has_system, instructed, plain_input
from .defaults import RowDefaults
from .draft import Draft
from .formats import JSONL, Broken, Format, Odd, id_of
from .images import may_have, read_in
from .invalid import Invalid, excerpt, kind_of, unsendable
from .keys import column_places, key_places
from .lines import Lines
from .naming import BareRows, Name, names_bare
from .parameters import KNOWN, extra_of, finish, job_params, merged, merged_extra
from .shape import Shapes
from .tables.row import is_broken, typed, whole
from .template import Template

__all__ = ["RowDefaults", "RowParser"]

_URLS: Mapping[str, Endpoint] = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
}
_BATCH_KEYS = frozenset({"custom_id", "method", "url", "body"})
_TAKES_SYSTEM: frozenset[Endpoint] = frozenset({"chat", "responses"})
_COLUMN = " (a column of that name is a request parameter: rename it to have it as data)"
_NO_FORM = "answers of the endpoint {} can't be checked by a schema: only those of chat"


class RowParser:
    """Turns lines into rows. Never raises for a line: what can't be sent becomes a Rejected.

    With a template, every object row is data for it, whatever its keys: the fields that the
    template names, and ``prompt``, ``messages`` and ``input``, are handed back as metadata, while
    other request parameters still apply. A bare string has one field, ``text``.
    ``several`` inputs make ``<path>:<line>`` the id of a row without one, else ``<line>``. With
    ``whole`` all of a row is handed back as its metadata, as the columns of a table are.
    Raises ConfigError where the defaults can't work.
    """

    __slots__ = (
        "_bare",
        "_base",
        "_column_places",
        "_column_shapes",
        "_defaults",
        "_extra",
        "_fit",
        "_several",
        "_shapes",
        "_target",
        "_template",
        "_whole",
    )

    def __init__(
        self, defaults: RowDefaults, *, several: bool = False, whole: bool = False
    ) -> None:
        self._defaults = defaults
        self._whole = whole
        self._several = several
        self._template = None if defaults.template is None else Template(defaults.template)
        if defaults.system is not None and defaults.endpoint not in _TAKES_SYSTEM:
            raise ConfigError(
                f"the endpoint {defaults.endpoint} takes no system prompt: leave it out, "
                "or put it into the template"
            )
        params = defaults.params
        self._target = defaults.target
        if defaults.form is not None:
            self._target = f"{defaults.target} {defaults.form.mark}"
            if defaults.endpoint != "chat":
                raise ConfigError(f"--schema: {_NO_FORM.format(defaults.endpoint)}")
            params = {**defaults.form.params, **params}
        try:
            self._base, self._extra = job_params(params, defaults.endpoint)
        except Invalid as invalid:
            raise ConfigError(f"request parameters: {invalid}") from None
        self._fit = _that_refuses(defaults.fit)
        if self._fit and (problem := self._fit.problem(defaults.endpoint, self._base)):
            about = "request parameters: " if self._fit.serves(defaults.endpoint) else ""
            raise ConfigError(f"{about}{problem}")
        fields = None if self._template is None else self._template.fields
        places = key_places(defaults.endpoint, fields)
        self._shapes = Shapes(places)
        self._column_places = column_places(places)
        self._column_shapes = Shapes(self._column_places)
        for name in ("model", "system", "template", "params"):
            if reason := unsendable(getattr(defaults, name), name):
                raise ConfigError(reason)
        self._bare: BareRows | None = None
        if names_bare(defaults) and not self._extra:
            self._bare = BareRows(self._shapes, defaults, self._target, self._base, self._fit)

    def __repr__(self) -> str:
        return f"RowParser(model={self._defaults.model!r}, endpoint={self._defaults.endpoint!r})"

    def default_id(self, number: int, path: str, line: bytes = b"") -> str:
        """The id of a row that names none.

        A ``line`` that can't be read may have one: its number is likely that of another row.
        """
        name = f"{path}:{number}" if self._several else str(number)
        return f"line {name}" if is_broken(line) else name

    def parse(
        self, line: bytes, number: int, path: str, form: Format = JSONL, read_at: float = 0.0
    ) -> Row:
        """``number`` is 1-based; ``read_at`` is the clock's time in seconds."""
        defaults = self._defaults
        draft = Draft(defaults.endpoint, defaults.model, path)
        try:
            value = form.decode(line)
        except Invalid as invalid:
            draft.id = form.read_id(line) or self.default_id(number, path, line)
            if isinstance(invalid, Broken):
                draft.metadata.update(invalid.row)
            return draft.rejected(line, number, str(invalid), read_at)
        try:
            if type(value) is Odd:
                self._fill(draft, value.value, form)
                draft.check_odd()
            else:
                self._fill(draft, value, form)
        except Invalid as invalid:
            draft.id = draft.id or self.default_id(number, path, line)
            return draft.rejected(line, number, str(invalid), read_at)
        draft.id = draft.id or self.default_id(number, path, line)
        return draft.request(self._target, number, read_at)

    def names(self, lines: Lines, path: str, form: Format = JSONL) -> list[Name]:
        """The ids and fingerprints of the rows that :meth:`parse` makes of the first lines.

        It ends before a line that takes other files to be read.
        """
        found: list[Name] = []
        bare = None if self._bare is None or form is not JSONL else self._bare.name
        for number, line in lines:
            if may_have(line):
                break
            name = None if bare is None else bare(line, path)
            if name is None:
                row = self.parse(line, number, path, form)
                name = row.id, row.fingerprint
            elif not name[0]:
                name = self.default_id(number, path, line), name[1]
            found.append(name)
        return found

    def _fill(self, draft: Draft, value: Any, form: Format) -> None:
        if self._whole:
            draft.handed_back = whole(value)
        if type(value) is dict:
            if form.table:
                value = typed(value, self._column_places)
            row_id = id_of(value)
            if row_id is not None:
                if not row_id.isascii() and (reason := unsendable(row_id, "id")):
                    raise Invalid(reason)
                draft.id = row_id
            if self._template is None and not form.table and _is_batch_line(value):
                self._fill_batch(draft, value)
            else:
                shapes = self._column_shapes if form.table else self._shapes
                self._fill_plain(draft, value, shapes)
        elif type(value) is str:
            template = self._template
            prompt = value if template is None else template.render({"text": value})
            self._ask(draft, {"prompt": prompt}, None)
        else:
            hint = "; write one row a line" if type(value) is list else ""
            raise Invalid(f"a row must be an object or a string, got {kind_of(value)}{hint}")

    def _fill_plain(self, draft: Draft, row: dict[str, Any], shapes: Shapes) -> None:
        shape = shapes.of(row)
        wrong = shape.sort(row, draft.own)
        if shape.strangers or shape.back:
            draft.metadata = shape.metadata(row)
        if wrong is not None:
            hint = _COLUMN if shapes is self._column_shapes else ""
            raise Invalid(f"{wrong}{hint}")
        if shape.model and row["model"] is not None:
            draft.model = self._model(row["model"])
        system = row["system"] if shape.system else None
        if system is not None and type(system) is not str:
            raise Invalid(f"system must be a string, got {kind_of(system)}")
        if shape.decided:
            finish(draft.own)
        if shape.extra_body:
            draft.extra = extra_of(row["extra_body"])
        if self._template is not None:
            row = {"prompt": self._template.render(row)}
        self._ask(draft, row, system)

    def _fill_batch(self, draft: Draft, row: dict[str, Any]) -> None:
        draft.metadata = {key: value for key, value in row.items() if key not in _BATCH_KEYS}
        method, url, body = row.get("method"), row.get("url"), row["body"]
        if method is not None and method != "POST":
            raise Invalid(f"method must be POST, got {excerpt(method)}")
        if type(url) is not str or url not in _URLS:
            raise Invalid(f"url must be one of {', '.join(_URLS)}; got {excerpt(url)}")
        if type(body) is not dict:
            raise Invalid(f"body must be an object, got {kind_of(body)}")
        draft.endpoint = endpoint = _URLS[url]
        if self._defaults.form is not None and endpoint != "chat":
            raise Invalid(_NO_FORM.format(endpoint))
        known, content = KNOWN[endpoint], CONTENT[endpoint]
        for key, value in body.items():
            if key == "model":
                draft.model = draft.model if value is None else self._model(value)
            elif key not in content and value is not None:
                if key in known:
                    known[key].check(key, value)
                draft.own[key] = value
        finish(draft.own)
        if endpoint == "responses" and type(body.get("prompt")) is dict:
            draft.own["prompt"] = body["prompt"]  # a prompt that is stored at the provider
            draft.content = body.get("input")
            read_in(draft.content, draft.source, "input")
            self._lay(draft)
        else:
            self._ask(draft, body, None)

    def _model(self, named: object) -> str:
        """The name to send for a model that the row names."""
        if type(named) is not str or not named:
            raise Invalid(f"model must be a string, got {kind_of(named)}")
        resolve = self._defaults.resolve_model
        if resolve is None:
            return named
        try:
            return resolve(named)
        except ValueError as error:
            raise Invalid(str(error)) from None

    def _ask(self, draft: Draft, row: Mapping[str, Any], system: str | None) -> None:
        """Fill in what is asked, and the parameters; ``system`` is the row's own."""
        endpoint, form = draft.endpoint, self._defaults.form
        if endpoint == "chat":
            draft.messages = chat_messages(row, system, self._defaults.system)
            if form is not None and form.words is not None:
                draft.messages = instructed(draft.messages, form.words)
            if "messages" in row:
                read_in(draft.messages, draft.source)
        else:
            draft.content = plain_input(row, endpoint)
            if endpoint == "responses":
                read_in(draft.content, draft.source, "input")
                self._instruct(draft, system)
            elif system is not None:
                raise Invalid(f"system has no place in a request for {endpoint}")
        self._lay(draft)

    def _lay(self, draft: Draft) -> None:
        """The row's parameters over the job's, all of them known to the provider."""
        own, extra = draft.own, draft.extra
        draft.params = merged(self._base, own, extra)
        if self._extra:
            draft.extra = merged_extra(self._extra, own, extra)
        if self._fit and (problem := self._fit.problem(draft.endpoint, draft.params)):
            raise Invalid(problem)

    def _instruct(self, draft: Draft, system: str | None) -> None:
        """A system prompt is called ``instructions`` in the Responses API."""
        theirs = "instructions" in draft.own or has_system(draft.content)
        if system is not None and theirs:
            raise Invalid("system is given twice: as a key, and as instructions or a message")
        if system is None and not theirs:
            system = self._defaults.system
        if system is not None:
            draft.own["instructions"] = system


def _that_refuses(fit: Fit | None) -> Fit | None:
    """None for a provider that takes whatever comes: then nothing is looked at."""
    return fit if fit and (fit.dialect.takes or fit.dialect.endpoints != ALL) else None


def _is_batch_line(row: Mapping[str, Any]) -> bool:
    return "body" in row and ("custom_id" in row or ("method" in row and "url" in row))
