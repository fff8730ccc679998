"""Metrics of text, and the encoders that some of them look through."""
