"""Small networks, R of them stacked into one program."""
