"""Edit the files that list a project's dependencies, one entry each."""
