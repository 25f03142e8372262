"""Figures of generated images; a metric is one declaration."""
