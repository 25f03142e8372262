"""Figures of captions; a metric is one declaration."""
