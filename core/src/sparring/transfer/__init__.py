"""Transfer learning: start a network from other weights, freeze parts of it, train small matrices beside the rest."""
