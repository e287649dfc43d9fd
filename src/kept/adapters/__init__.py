"""The outside world behind the ports: stores, embedders, readers."""
