"""Fakes and conformance suites, shipped for those who write adapters or test what they built on Kept.

`fakes` needs nothing but Kept; the suites need pytest, strategies and random lives need Hypothesis.
"""
