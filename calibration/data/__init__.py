"""What decoders are fitted on and tested with: runs, pictures, regions, and the live path's patterns of them."""
