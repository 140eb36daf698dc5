"""COLD  what doctor looks at: facts gathered from the surroundings, and what they mean."""
