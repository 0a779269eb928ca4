"""Hourglass: what bottlenecks in neural networks do, and which published claims about them hold.

Imports go down only; families of one level never import each other (kept by tests/test_layers.py).

level 0   types, checks, kernels           shapes, border checks, pairwise sums
          checkpoint, progress             exact resume, progress bars
level 1   data, estimators                 data with their truth; information and divergence in nats
          nets, plan                       small stacked networks, how a run trains
level 2   bottlenecks                      one objective a file: terms(model, x, y, noise) -> Terms
level 3   train, plane                     the one loop; the information plane
level 4   claims, plot, runs, trained      the ledger, figures from tables, parameters and run folders, trained networks
"""
