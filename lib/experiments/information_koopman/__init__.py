"""Entropy and information of Koopman codes: theory, Lorenz, flows, pictures, ropes."""
