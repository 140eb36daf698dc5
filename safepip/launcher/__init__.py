"""Start safepip for the command that scripts/bootstrap.py writes, with any suitable Python."""
