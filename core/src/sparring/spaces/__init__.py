"""Spaces that every domain uses: labels, points, arrays."""
