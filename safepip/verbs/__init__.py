"""One file per word of safepip's own, each with a main(words, context, report) -> exit code."""
