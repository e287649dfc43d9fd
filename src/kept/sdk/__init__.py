"""The Python door: Mem0's calls on the service."""
