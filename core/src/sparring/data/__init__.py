"""Data that the core brings: points in the plane, and tensors in memory."""
