"""Every fault that is promised to be survived, done to real sessions: `python -m tests.faults`."""
