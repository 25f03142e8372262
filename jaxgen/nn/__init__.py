"""Layers and functions that both kinds of model share."""
