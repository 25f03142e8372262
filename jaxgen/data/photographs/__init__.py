"""From photographs to features: weights of encoders, pixels as they take them, sets on disk."""
