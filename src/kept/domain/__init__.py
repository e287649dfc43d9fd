"""What Kept is about, as values and functions: no I/O, no clock, no randomness."""
