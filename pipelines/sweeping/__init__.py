"""The points of a sweep, where they run, the table they end in."""
