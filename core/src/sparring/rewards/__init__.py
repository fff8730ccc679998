"""Rewards that reinforcement learning makes more of."""
