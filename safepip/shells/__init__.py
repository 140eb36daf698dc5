"""Shell integration: a file of code for each shell, and the answers to its hooks."""
