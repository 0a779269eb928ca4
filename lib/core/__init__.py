"""What everything rests on: shapes, border checks, plans, progress, processes, precision, digits. Imports nothing of ours."""
