"""Eigenvalues, residuals and forecasts of linear fits beside known ones."""
