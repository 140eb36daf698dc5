"""Environments: made, locked, looked after. Nothing here is imported before the last door."""
