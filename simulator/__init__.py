"""A scanner made of files and of a synthetic brain: no person is harmed by a bug."""
