"""A whole visit in one window: set-up and preflight, run after run, and what became of each."""

from rtrecon.display.visit.window import VisitWindow, run_visit

__all__ = ["VisitWindow", "run_visit"]
