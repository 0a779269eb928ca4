"""What values of several seeds tell: correlations, intervals, rises and falls of a curve."""
