"""Environments: made, locked, looked after.

All of it is imported late, where an action needs it. system/observe.py asks `trust`, `redirects` and `git` about
an environment that safepip did not make.
"""
