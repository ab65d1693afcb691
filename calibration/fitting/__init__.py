"""From patterns and targets to decoders."""
