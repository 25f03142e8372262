"""Captioners, a file each; `base` is their contract."""
