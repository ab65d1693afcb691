"""What decoders are worth, and what speaks against them."""
