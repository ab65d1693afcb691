"""What each command does with its options; the command line itself is in calibration/__main__.py.

Modules are imported where they are needed: they load torch, and a mistake on the command line is told
before that.
"""
