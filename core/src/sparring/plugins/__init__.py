"""Plugins: what a third party writes, how it is found, and how its components are built."""
