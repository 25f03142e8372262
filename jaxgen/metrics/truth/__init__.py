"""Captions of scenes against what is in them."""
