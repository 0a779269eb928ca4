"""The environment and what a machine needs: made, checked, locked."""
