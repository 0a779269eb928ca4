"""Hourglass: what bottlenecks in neural networks do, and which published claims about them hold.

A folder is a room and a level: imports between rooms go one way, and their order is read from the code (tests/house).

core          shapes, border checks, plans, progress, processes, precision, which digits are shown; whose code a process takes
pairwise      sums over all pairs of rows, nearest neighbours; on a GPU too
nets          small networks, R of them as one program; convolutions
stats         coefficients, intervals, rises and falls of a curve: what one value a seed says
data          data and simulators with their truth
training      the loop, exact resume, several processes, a normal posterior from the training path
estimators    information and divergence in nats
workbook      what a notebook reads, judges and draws with: parameters, runs, claims, figures, the state of stages and sweeps

bottlenecks   one objective a file: terms(model, x, y, noise) -> Terms; trained networks, the information plane, attacks
koopman       dynamics made linear in well-chosen coordinates; measures of forecasts; models taken apart by eigenpair
concepts      what a network knows in words: a CLIP of any size, banks, and heads on named concepts
forecast      forecasting with missing values: masks, windows, forecasters, their loop

experiments   what the notebooks X_run of one paper compute; none imports another paper's
widgets       views that redraw while a slider moves, forms and buttons that run stages
"""

from lib.core import working_copy

working_copy.check(__file__)
