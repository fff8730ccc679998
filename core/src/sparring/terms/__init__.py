"""Terms: weighted addends of an update's loss."""
