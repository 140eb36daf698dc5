"""The experiments of torture.py, one module a kind; each has EXPERIMENTS, by name, in the order of the table."""
