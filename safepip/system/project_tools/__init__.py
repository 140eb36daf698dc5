"""Find the environments of the tools that keep projects."""
