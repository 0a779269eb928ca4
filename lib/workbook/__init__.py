"""What a notebook reads, judges and draws with: parameters, runs, claims, figures, the state of stages and sweeps."""
