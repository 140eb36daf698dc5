"""COLD  what the command that scripts/bootstrap.py writes starts: safepip, under whatever Python there is."""
