"""Carry out plans."""
