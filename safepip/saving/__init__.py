"""Edit the files that list a project's dependencies: one entry changes, every other byte stays."""
