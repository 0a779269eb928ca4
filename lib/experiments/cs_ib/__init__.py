"""The Cauchy-Schwarz bottleneck against its rivals: one axis, the gap of many networks, what selection does to a number."""
