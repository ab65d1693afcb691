"""What can be made to go wrong in a replay, on demand and by chance."""

from simulator.faults.kinds import KINDS
from simulator.faults.plan import Fault, Faults, Random, Scan, parse_faults

__all__ = ["KINDS", "Fault", "Faults", "Random", "Scan", "parse_faults"]
