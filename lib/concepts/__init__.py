"""Concept bottlenecks: scores of named concepts and a linear head, on embeddings of any encoder.

Whoever fits it, a model is a `ConceptModel`, and `bottleneck` has its predict, explain and intervene.
"""
