"""Image captioning: captioners, decoding, a training step, quality, trained models."""
