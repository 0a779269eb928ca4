"""Tests of lib/a/b.py lie in tests/a/test_b.py, those of pipelines in tests/pipelines, rules of the house in tests/house."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
