"""The recipes that come with Sparring: YAML files in one folder per domain, and no code."""
