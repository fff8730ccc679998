"""Adversarial losses: a pair each, one side for each player."""
