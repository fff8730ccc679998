"""Callbacks: they watch a run, write down what they find, and may ask it to stop."""
