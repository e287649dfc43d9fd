"""`kept mcp`: the memory for agents, over standard input and output."""

from __future__ import annotations

import click

from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command


@command(
    "mcp",
    scoped=True,
    examples=[
        "kept mcp",
        "kept mcp --tools read",
        "kept mcp --url http://127.0.0.1:8787 --key kept_…",
        "claude mcp add kept -- kept mcp",
    ],
)
@click.option("--url", metavar="URL", help="Another server's memories instead of the store here (KEPT_URL).")
@click.option("--key", metavar="KEY", help="The key to show to that server (KEPT_API_KEY).")
@click.option("--tools", metavar="LIST", help="Only these tools: names, tags, read, write or all, parted by commas.")
@pass_invocation
def mcp(invocation: Invocation, /, url: str | None, key: str | None, tools: str | None) -> None:
    """Serve the memory to an agent over MCP, on stdio.

    The agent's client starts and ends this, not a person. Speaks JSON-RPC on standard input and output and ends when its client
    does. Memories are the user's own unless a call names whose.
    """
    from kept.cli.mcp_start import run

    run(
        database=invocation.database,
        project=invocation.project,
        user=invocation.user,
        agent=invocation.agent,
        app=invocation.app,
        run=invocation.run,
        url=url,
        key=key,
        tools=tools,
    )
