"""Training: the loop, and what it stands on. Read ``loop.py`` first."""
