"""``llmbatch plan``: what a run would do and cost, before anything is sent."""

from __future__ import annotations

import gc
from typing import Any

import click

from .joboptions import job_options
from .options import JobCommand, JobOption, settings_from
from .terminal import put


@click.command(cls=JobCommand)
@job_options
@click.option(
    "--json", "as_json", cls=JobOption, section="Output", is_flag=True, help="Print JSON."
)
@click.pass_context
def plan(ctx: click.Context, /, *, as_json: bool, **_: Any) -> None:
    """Show what `llmbatch run` with the same options would do, and what it would cost.

    Sends nothing, writes nothing and needs no key. It reads the output that is there, so it also
    says what resuming would do.
    """
    from llmbatch.jobs.planning.run import plan_run

    config = settings_from(ctx).config
    gc.disable()  # rows come and go by the million, and there are no cycles among them
    show(plan_run(config), as_json=as_json)


def show(plan: Any, *, as_json: bool) -> None:
    """The plan on standard output: for people, or as JSON."""
    from .planfigures import as_text, to_json

    put(to_json(plan) if as_json else as_text(plan))
