"""Fakes and conformance suites, shipped for those who write adapters or test what they built on Kept."""
