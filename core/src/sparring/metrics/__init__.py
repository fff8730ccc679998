"""Metrics that no domain owns."""
