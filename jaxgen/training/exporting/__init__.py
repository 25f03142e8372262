"""Trained models as folders to give away: written, read and held against their checksums."""
