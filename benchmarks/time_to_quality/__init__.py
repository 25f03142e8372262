"""Seconds from the shell's prompt until samples or captions are good enough."""
