"""The openai SDK: one shared `AsyncOpenAI` on aiohttp, which its README names as the faster way."""

from __future__ import annotations

import httpx2
from driver import Job, Row, drive, messages_of
from openai import AsyncOpenAI, DefaultAioHttpClient


async def client(job: Job) -> None:
    limits = httpx2.Limits(
        max_connections=job.concurrency, max_keepalive_connections=job.concurrency
    )
    async with AsyncOpenAI(
        api_key="none",
        base_url=job.url,
        max_retries=0,
        http_client=DefaultAioHttpClient(limits=limits),
    ) as sdk:
        create = sdk.chat.completions.create

        async def plain(row: Row) -> str | None:
            answer = await create(
                model="m",
                messages=messages_of(row),
                max_tokens=row["max_tokens"],
                temperature=row["temperature"],
            )
            return answer.choices[0].message.content

        async def streamed(row: Row) -> str:
            texts: list[str] = []
            async with await create(
                model="m",
                messages=messages_of(row),
                max_tokens=row["max_tokens"],
                temperature=row["temperature"],
                stream=True,
                stream_options={"include_usage": True},
            ) as chunks:
                async for chunk in chunks:
                    if chunk.choices and (text := chunk.choices[0].delta.content):
                        texts.append(text)
            return "".join(texts)

        await job.ask_each(streamed if job.stream else plain)


if __name__ == "__main__":
    drive(client)
