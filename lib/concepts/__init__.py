"""Concepts in words: a CLIP embeds pictures and sentences into one space, and concept bottlenecks are built on it.

A concept bottleneck is scores of named concepts and a linear head, on embeddings of any encoder. Whoever fits it, a model is a
`ConceptModel`, and `bottleneck` has its predict, explain and intervene.
"""
