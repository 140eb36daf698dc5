"""What safepip reads of the world, one file per thing looked at, and how it starts programs."""
