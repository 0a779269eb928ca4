"""Concept methods on published sentences and on expert annotations."""
