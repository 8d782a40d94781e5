"""flexllm: `chat_batch_iter`, its batch of whole answers; `chat_stream` for streams.

Its batches do not stream, so streams are asked for one by one, by workers of ours. No progress bar,
no checkpoint file, no limit on requests a second (1,000 is its default).
"""

from __future__ import annotations

from driver import Job, Row, drive, messages_of
from flexllm import LLMClient


async def client(job: Job) -> None:
    async with LLMClient(
        model="m",
        base_url=job.url,
        api_key="none",
        concurrency_limit=job.concurrency,
        max_qps=None,
        retry_times=0,
    ) as flexllm:

        async def streamed(row: Row) -> str | None:
            text = None
            async for event in flexllm.chat_stream(
                messages_of(row), max_tokens=row["max_tokens"], temperature=row["temperature"]
            ):
                if event["type"] == "result":
                    text = event["result"].content
            return text

        if job.stream:
            await job.ask_each(streamed)
            return
        rows = list(job.rows())
        async for _, result in flexllm.chat_batch_iter(
            [messages_of(row) for row in rows],
            show_progress=False,
            max_tokens=rows[0]["max_tokens"],
            temperature=rows[0]["temperature"],
        ):
            job.check(result.content)


if __name__ == "__main__":
    drive(client)
