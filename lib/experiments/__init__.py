"""Koopman learners against each other on known dynamics: what a trial trains and measures, a unit of work a function."""
