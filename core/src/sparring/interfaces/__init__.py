"""The interfaces that plugins implement and the training loop relies on."""
