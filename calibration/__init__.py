"""Offline: fits a person's decoders from calibration runs, with the live path's own code."""
