"""Networks that write and judge token sequences."""
