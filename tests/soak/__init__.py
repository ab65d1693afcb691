"""A simulated eight-hour day of a scanner suite, faster than life, through the whole program."""
