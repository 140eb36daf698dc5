"""Environments: made, locked, looked after. Nothing here is imported before the last door, but for two modules.

system/observe.py asks `trust` and `git` about an environment that safepip did not make.
"""
