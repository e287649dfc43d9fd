"""`python -m kept.cli`: the same as `kept`."""

from __future__ import annotations

from kept.cli import main

if __name__ == "__main__":
    main()
