"""Data sets by name, batches that are a function of (seed, step), and builders of caption sets."""
