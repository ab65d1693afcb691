"""What `make demo` has open on the network: the sockets in the process tree of the demo's own program.

    python -m tests.benchmarks.listening [--output out/demo]

Starts the demo, looks at the sockets of all its processes until it ends (by `ss` as well, where that
is), and says which of them docs/security.md does not name (exit code 1).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from simulator.lsl import isolated
from tests.listening import Socket, by_ss, lsl_ports, unnamed, watched


def main() -> int:
    """Run the demo and print a line for each socket."""
    parser = argparse.ArgumentParser(prog="listening", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("out/demo"), metavar="DIR")
    parser.add_argument("--speed", default="10", help="of the live run [10]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "lsl_api.cfg"  # as the demo writes it, at a place that is known
        config.write_text(isolated(f"listening-{os.getpid()}"))
        os.environ["LSLAPICFG"] = str(config)
        demo = subprocess.Popen(
            [sys.executable, "-m", "simulator.demo", "--headless", "--speed", options.speed,
             "--output", str(options.output)]
        )  # fmt: skip
        told: set[Socket] = set()  # by ss
        with watched(demo.pid) as seen:
            while (code := demo.poll()) is None:
                told |= by_ss(demo.pid)
                time.sleep(0.5)
        sockets = seen | told
        more = unnamed(sockets, lsl_ports())
        print("\n".join(map(str, sorted(sockets))))
        print(f"ss told of {len(told)}, {len(told - seen)} of them not seen otherwise")
        print(f"LSL's ports here: {lsl_ports().start} to {lsl_ports().stop - 1}")
        print("\n".join(f"docs/security.md does not name {one}" for one in more) or "all are named")
    return code or bool(more)


if __name__ == "__main__":
    sys.exit(main())
