"""Processes of their own, for what may crash or hang without taking a session with it."""

import multiprocessing
from multiprocessing.context import BaseContext

_LOADED = ["rtrecon.generators.diffusion", "rtrecon.kept_volumes"]


def children(loaded: str = "") -> BaseContext:
    """Where processes are begun: from one that has loaded what they need, where the system can.

    They outlive a session that is killed, and each sees to its own end.

    Parameters
    ----------
    loaded : str
        A module, where a session needs but this, and no generator; the first call decides.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([loaded] if loaded else _LOADED)
    return context


def ready(loaded: str = "") -> None:
    """Have them come at once from now on: beginning that process holds up every thread of this one."""
    if children(loaded).get_start_method() == "forkserver":
        from multiprocessing import forkserver

        forkserver.ensure_running()
