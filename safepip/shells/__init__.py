"""COLD  what `init` prints for each shell, kept as files of that shell's language, and what their hooks may trust."""
