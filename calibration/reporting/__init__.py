"""The page that a laboratory would attach to a paper."""
