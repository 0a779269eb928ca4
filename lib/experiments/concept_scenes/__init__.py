"""Every concept method on the same scenes: one table, edits, examples."""
