"""Live reconstruction, during an fMRI scan, of what a person is looking at."""

__version__ = "0.1.0"
