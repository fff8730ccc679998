"""Data of text: what ships, what is fetched, what is drawn, and what is yours."""
