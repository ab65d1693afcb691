"""Is everything ready for a session? One finding after another, each with the way out.

`volumes` looks at what a session of fMRI needs, `eeg` at one of EEG, `machine` at what both do.
"""
