"""Pairs of a generator and a discriminator, a file each; `base` is their contract."""
