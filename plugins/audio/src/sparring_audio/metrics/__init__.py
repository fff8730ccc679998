"""Measures of generated sounds."""
