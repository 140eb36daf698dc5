"""COLD  what `init` prints, kept as one file of each shell's language, and what the hooks in them go by."""
