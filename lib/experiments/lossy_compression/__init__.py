"""Mutual information after lossy compression: of known images, and of a network with noise while it trains."""
