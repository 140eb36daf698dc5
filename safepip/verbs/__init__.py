"""One file per word of safepip's own."""
