"""Recipes: their schema, where they are found, and how they are changed and checked."""
