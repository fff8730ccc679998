"""Networks for samples of any fixed shape."""
