"""Sums over all pairs of rows and nearest neighbours, as fast as the machine allows, on CPU and GPU."""
