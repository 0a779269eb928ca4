"""Concepts in words: a CLIP embeds pictures and sentences into one space, and what is built on it reads and changes by name."""
