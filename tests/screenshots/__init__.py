"""Pictures of every window for the documentation, from simulated sessions that really run.

`python -m tests.screenshots` writes them to out/screens at each size, and those that the pages show
to docs/images/screens.
"""
