"""Experiments: a configuration each, trained by `python -m experiments.NAME`."""
