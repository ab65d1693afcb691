"""Lab Streaming Layer kept to this process: imported before anything that uses it."""

import os
import tempfile
from pathlib import Path

from simulator.lsl import isolated

if "LSLAPICFG" not in os.environ:  # liblsl reads it once
    _file = Path(tempfile.mkdtemp(prefix="rtrecon-fuzz-")) / "lsl_api.cfg"
    _file.write_text(isolated(f"fuzz-{os.getpid()}"))
    os.environ["LSLAPICFG"] = str(_file)
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
