"""Drawing of the synthetic pictures: kinds of thing, places, colours, noise and words."""
