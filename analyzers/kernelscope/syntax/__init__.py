"""Text to trees: source text with line tables, and one folder per language. Parsing never fails."""
