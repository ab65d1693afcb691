"""A session seen from elsewhere: what it tells over LSL, and how a view follows it."""

from rtrecon.remote.follower import Follower
from rtrecon.remote.publisher import Publisher

__all__ = ["Follower", "Publisher"]
