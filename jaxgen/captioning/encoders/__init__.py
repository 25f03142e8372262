"""Encoders, which see pictures for a captioner and learn with it; `base` is their contract."""
