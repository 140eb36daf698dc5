"""Read the world, one file for each thing looked at."""
