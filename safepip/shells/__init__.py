"""Shell integration: the code that `init` prints, one file a shell, and the answers to its hooks."""
