"""litellm: `acompletion` with its default transport (aiohttp), and all that it can leave out."""

from __future__ import annotations

import litellm
from driver import Job, Row, drive, messages_of

litellm.suppress_debug_info = True
litellm.telemetry = False
litellm.disable_streaming_logging = True


async def client(job: Job) -> None:
    fixed = {"model": "openai/m", "api_base": job.url, "api_key": "none", "num_retries": 0}

    async def plain(row: Row) -> str | None:
        answer = await litellm.acompletion(
            messages=messages_of(row),
            max_tokens=row["max_tokens"],
            temperature=row["temperature"],
            **fixed,
        )
        return answer.choices[0].message.content

    async def streamed(row: Row) -> str:
        texts: list[str] = []
        chunks = await litellm.acompletion(
            messages=messages_of(row),
            max_tokens=row["max_tokens"],
            temperature=row["temperature"],
            stream=True,
            stream_options={"include_usage": True},
            **fixed,
        )
        async for chunk in chunks:
            if chunk.choices and (text := chunk.choices[0].delta.content):
                texts.append(text)
        return "".join(texts)

    await job.ask_each(streamed if job.stream else plain)


if __name__ == "__main__":
    drive(client)
