"""Pages of the report: Markdown, citations, provenance."""
