"""Feedback by a protocol: what is measured, against what, in which blocks, and when it fires.

`Scale`, `Threshold` and `Blocks` know neither fMRI nor a clock: times are passed in.
"""
