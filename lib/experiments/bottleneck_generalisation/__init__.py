"""Measures of information and size against the generalisation gap, over a grid of stochastic classifiers."""
