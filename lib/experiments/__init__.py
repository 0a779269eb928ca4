"""What the notebooks of one paper compute: a module or a folder a paper, and none imports another's."""
