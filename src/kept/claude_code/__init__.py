"""What Kept does in a session of Claude Code: a brief at its start, a few memories for a prompt, what was said kept at its end.

Hooks come here, as one command (`kept hook session-start`) and one hidden tool of `kept mcp`. A session must never suffer from
its memory: nothing here raises into it, waits without a limit, or gives orders to the model.
"""
