"""Hourglass: what bottlenecks in neural networks do, and which published claims about them hold.

Imports go down only; families of one level never import each other (kept by tests/house/test_layers.py).

level 0   types, checks, kernels_triton    shapes, border checks, pairwise sums on a GPU
          checkpoint, progress, processes  exact resume, progress bars, work spread over cores
          working_copy                     whose code a process takes, where there are several copies
          precision, digits                single or double, by scale; which digits are shown
level 1   kernels, nets, convolutions, plan   pairwise sums, small stacked networks, how a run trains
          swag, correlation                a normal posterior from a training path; coefficients and their intervals
          episodes                         rises and falls of a curve, and whether they come with another's
level 2   data, estimators                 data with their truth; information and divergence in nats
level 3   bottlenecks, trial               one objective a file: terms(model, x, y, noise) -> Terms; estimators on known tasks
          curves, stochastic               estimates after lossy compression: of known images, of a network with noise
          koopman                          dynamics made linear in well-chosen coordinates; measures of forecasts
          concepts                         what a network knows in words: a CLIP of any size, banks, and heads on named concepts
          forecast                         forecasting with missing values: masks, windows, forecasters, their loop
          generalisation                   measures of networks against their generalisation gap
          spread                          one large run over several processes
level 4   train, plane, attacks            the one loop; the information plane; inputs changed to mislead
          classifiers                      a grid of small stochastic classifiers, trained and measured
          spectra, contests                eigenvalues of Koopman fits beside known ones; learners against each other
level 5   logistic, rollouts               fits of one noisy map; forecasts, and models taken apart by eigenpair
level 6   fields                           a notebook's file; its parameters, their ranges and choices
          claims, runs, trained            the ledger; parameters and run folders; trained networks
          plot, charts                     figures of any table, and of what studies measure
          tradeoff, gaps, protocol         methods on one axis; the gap of many networks; what selection does to a number
          explore, notebook                views that redraw while a slider moves; their widgets
          board, launch                   how stages and sweeps stand; forms and buttons that run them
          koopman_views                    views of models taken apart: pairs kept, what they foretell, modes as pictures
          concept_panels                   views of a concept model: reasons, corrections, what discovered units fire on
          sweeps                           what a sweep's table says: fronts, sensitivities, its best points
          activations, inference           networks of many activations over time; intervals and rules from one value a seed
"""

from lib.core import working_copy

working_copy.check(__file__)
