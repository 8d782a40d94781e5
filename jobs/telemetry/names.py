"""Every name by which telemetry is known elsewhere, in one place: conventions move.

Those of GenAI are OpenTelemetry's (https://github.com/open-telemetry/semantic-conventions-genai,
docs/gen-ai/gen-ai-spans.md and gen-ai-metrics.md, in development), as the incubating part of the
package opentelemetry-semantic-conventions 0.66b2 spells them; they are written down here because
that part is to be removed. Names that begin with ``llmbatch`` are this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping

SCOPE = "llmbatch"

# attributes of the conventions
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
REQUEST_SEED = "gen_ai.request.seed"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_NUMBERS: Mapping[str, str] = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}
"""Request parameters that are doubles, by their name in a request."""
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105
OUTPUT_TYPE = "gen_ai.output.type"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
ERROR_TYPE = "error.type"
HTTP_STATUS = "http.response.status_code"

OPERATIONS: Mapping[str, str] = {
    "chat": "chat",
    "responses": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}
"""Operations by endpoint."""

PROVIDERS: Mapping[str, str] = {
    "openai-responses": "openai",
    "gemini": "gcp.gemini",
    "azure": "azure.ai.openai",
    "vertex_ai": "gcp.vertex_ai",
    "bedrock": "aws.bedrock",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "moonshot": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
}
"""Providers whose name is another one there; all others keep theirs."""

# attributes of the resource
SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"
HOST_NAME = "host.name"
PROCESS_PID = "process.pid"
PROCESS_RUNTIME = "process.runtime.name"
PROCESS_RUNTIME_VERSION = "process.runtime.version"
COMMAND_LINE = frozenset(
    {"process.command", "process.command_args", "process.command_line", "process.executable.path"}
)
"""Which hold the flags that were given, prompts among them: never sent."""

# attributes of our own
COMMAND = "llmbatch.command"
OUTPUT = "llmbatch.output"
TOTAL = "llmbatch.rows.total"
NOT_RUN = "llmbatch.rows.not_run"
ROWS = "llmbatch.rows"
SKIPPED = "llmbatch.rows.skipped"
EXIT_CODE = "llmbatch.exit_code"
STOPPED = "llmbatch.stopped"
COST = "llmbatch.cost_usd"
ATTEMPTS = "llmbatch.attempts"
RETRIED = "llmbatch.retried"
FALLBACKS = "llmbatch.fallbacks"
STATUS = "llmbatch.status"
LINE = "llmbatch.row.line"
ROW_ID = "llmbatch.row.id"
QUEUE = "llmbatch.queue.seconds"
LIMITER = "llmbatch.limiter.seconds"
GAP_MEAN = "llmbatch.chunk_gap.mean_seconds"
GAP_MAX = "llmbatch.chunk_gap.max_seconds"
REUSED = "llmbatch.reused"
CHUNK = "llmbatch.chunk.number"
FOLD_LEVEL = "llmbatch.fold.level"
FOLD_NUMBER = "llmbatch.fold.number"
ROUTE = "llmbatch.route"
ATTEMPT = "llmbatch.attempt.number"
SECONDS = "llmbatch.seconds"
CONCURRENCY = "llmbatch.concurrency"
IN_FLIGHT = "llmbatch.in_flight"
ALL_INPUT_TOKENS = "llmbatch.input_tokens"
ALL_OUTPUT_TOKENS = "llmbatch.output_tokens"

# metrics of the conventions, and their buckets
DURATION = "gen_ai.client.operation.duration"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
PER_CHUNK = "gen_ai.client.operation.time_per_output_chunk"
TOKENS = "gen_ai.client.token.usage"
SECONDS_BUCKETS = tuple(0.01 * 2**power for power in range(14))
"""0.01 to 81.92."""
TOKEN_BUCKETS = tuple(float(4**power) for power in range(14))
"""1 to 67,108,864."""

# metrics of our own
M_ROWS = "llmbatch.rows"
M_FAILURES = "llmbatch.failures"
M_RETRIES = "llmbatch.retries"
M_COST = "llmbatch.cost"
M_IN_FLIGHT = "llmbatch.in_flight"
M_CONCURRENCY = "llmbatch.concurrency.limit"

# variables of this project
PUSHGATEWAY_AUTH = "LLMBATCH_PUSHGATEWAY_AUTH"
"""``user:password`` for the gateway; never shown."""
