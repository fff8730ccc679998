"""Generators and discriminators of sound."""
