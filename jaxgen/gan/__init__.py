"""Generative adversarial networks: networks, losses, a training step, quality, trained models."""
