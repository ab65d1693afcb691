"""From the files that a scanner exports to the wire."""
