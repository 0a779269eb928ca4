"""How a notebook is run: kernels, environments, outcomes, terminals, locks, what DVC tracks."""
