"""The loop of stacked networks, exact resume, several processes, a posterior from the training path."""
