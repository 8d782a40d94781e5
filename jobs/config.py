"""What a job is: one frozen value, built from defaults, YAML, environment and flags.

This module holds types and plain data; :mod:`.settings` lays the layers over each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from .dialects import Api
from .model import Endpoint

Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]
Rate = Annotated[float, Meta(gt=0)]
Dollars = Annotated[float, Meta(ge=0)]
Concurrency = Count | Literal["auto"]


class ProviderConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of ``providers:``: a server with a name of its own.

    ``api`` is the wire format it speaks; OpenAI's where it says nothing. The key comes from the
    first of ``api_key_env`` (a variable's name), ``api_key_file`` (a path) and ``api_key_cmd`` (a
    command whose standard output it is); none of them is no key. ``rpm``, ``tpm`` and
    ``concurrency`` are this route's limits where the job names none.
    """

    base_url: str | None = None
    api: Api | None = None
    api_key_env: str | None = None
    api_key_file: str | None = None
    api_key_cmd: str | None = None
    headers: Mapping[str, str] = {}
    rpm: Rate | None = None
    tpm: Rate | None = None
    concurrency: Concurrency | None = None

    def __repr__(self) -> str:
        return f"ProviderConfig({self.base_url!r})"  # headers and commands may hold secrets


class PriceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of ``prices:``: USD for a million tokens.

    ``cached`` is for input that the provider had in its cache, ``cache_write`` for input that it
    puts there; None is the price of ``input``.
    """

    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    cache_write: Dollars | None = None


class JobConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that `llmbatch run` can be told.

    ``rpm`` and ``tpm`` are requests and tokens a minute; times are in seconds; ``concurrency`` None
    is the route's own default. ``fallbacks`` are models that are asked when the ones before them
    can't answer. ``processes`` is over how many of them the job's rows are spread.
    ``shared_limit`` names a budget that all processes of this host share. ``max_failed`` is a count
    (``"3"``) or a share (``"5%"``) of failed rows that still ends with exit code 0.

    ``prices`` are those of models, by ``provider/name`` (``*`` stands for any end); ``price_in``
    and ``price_out`` those of the job's models that no entry names: USD for a million tokens.
    ``max_cost`` (USD) and ``max_tokens_total`` (input and output) are what the job may use up, its
    earlier runs included. ``cache`` is a folder of answers that other jobs may use, "auto" the
    user's own, ``cache_size`` the most it may hold (``"1GB"``). ``canary`` rows are run first;
    ``halt_on`` are rules such as ``failed>5%``. ``schema`` is a file or a short form such as
    ``"name:str, score:int"``, ``select`` are the columns that a table takes from the answers, such
    as ``name=$.name``. ``input_format`` and ``format`` None go by the names of the files. ``live``
    lets `llmbatch serve` of the same user look at the job while it runs.
    """

    # what goes in
    inputs: tuple[str, ...] = ()
    input_format: Literal["jsonl", "text", "csv", "tsv", "parquet"] | None = None
    template: str | None = None
    system: str | None = None
    limit: Count | None = None
    strict: bool = False
    # who answers
    model: str | None = None
    base_url: str | None = None
    fallbacks: tuple[str, ...] = ()
    endpoint: Endpoint = "chat"
    params: Mapping[str, Any] = {}
    drop_params: bool = False
    stream: bool = True
    providers: Mapping[str, ProviderConfig] = {}
    schema: str | None = None
    # what it may cost
    prices: Mapping[str, PriceConfig] = {}
    price_in: Dollars | None = None
    price_out: Dollars | None = None
    max_cost: Rate | None = None
    max_tokens_total: Count | None = None
    dedupe: bool = True
    cache: str | None = None
    cache_size: Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)? *([kMGT]i?)?B?$")] = "1GB"
    # when it stops by itself
    canary: Count | None = None
    halt_on: tuple[str, ...] = ()
    # how fast, and how patient
    rpm: Rate | None = None
    tpm: Rate | None = None
    concurrency: Concurrency | None = None
    max_concurrency: Count = 256
    processes: Count | Literal["auto"] = 1
    shared_limit: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    retries: Natural = 5
    max_wait: Seconds = 120.0
    timeout: Seconds = 600.0
    stall_timeout: Seconds = 30.0
    max_outage: Seconds = 600.0
    grace: Annotated[float, Meta(ge=0)] = 10.0
    # what comes out
    output: str | None = None
    format: Literal["jsonl", "openai-batch", "csv", "tsv", "parquet"] | None = None
    select: tuple[str, ...] = ()
    order: Literal["finish", "input"] = "finish"
    fresh: bool = False
    force: bool = False
    max_failed: Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?%?$")] = "0"
    summary: str | None = None
    junit: str | None = None
    github: bool = False
    live: bool = True
    otlp: str | None = None
    otlp_content: bool = False
    prometheus: str | None = None
    pushgateway: str | None = None
    log_format: Literal["text", "json"] = "text"
    quiet: bool = False


class AnalyzeConfig(JobConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that `llmbatch analyze` can be told, beside what a job can.

    Of a job's own settings it leaves out what is about rows: ``inputs``, ``template``, ``output``
    and their like. ``documents`` are files, folders, globs and ``-``. ``chunk_tokens`` and
    ``overlap`` are tokens, None is fitted to the model; ``model_context`` is how many tokens the
    model can read and write together, where it is not known. ``map_prompt`` and
    ``fold_prompt`` are paths. ``report`` is where the report goes, ``-`` or None is standard
    output; ``results`` is the file of the chunks' own results.
    """

    documents: tuple[str, ...] = ()
    task: str | None = None
    map_prompt: str | None = None
    fold_prompt: str | None = None
    encoding: str | None = None
    chunk_tokens: Count | None = None
    overlap: Natural | None = None
    context: Literal["none", "previous"] = "none"
    model_context: Count | None = None
    fold: Literal["summary", "concat", "none"] = "summary"
    quotes: bool = False
    report: str | None = None
    report_format: Literal["markdown", "jsonl", "csv"] | None = None
    results: str | None = None
