"""Trained generators for programs that have no torch."""
