"""EEG as the source of the feedback score (docs/eeg.md)."""
