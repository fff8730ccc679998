"""Objectives: likelihood, adversarial and reinforcement training."""
