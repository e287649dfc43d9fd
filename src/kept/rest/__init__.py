"""The REST server: Mem0's dialect, and under names of its own what Kept can do beyond it."""
