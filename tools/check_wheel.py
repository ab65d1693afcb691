"""What the wheel must hold, and must not: `python tools/check_wheel.py dist/rtrecon-*.whl`."""

import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rtrecon", "calibration", "simulator")
SHIPPED = {".py", ".j2", ".toml", ".safetensors", ".json", ".txt", ".md"}


def main(wheel: Path) -> int:
    """Compare it with the sources; a line for each difference."""
    with ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
        about = {name.partition(".dist-info/")[2] for name in opened.namelist()}
    wanted = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and file.suffix in SHIPPED
    }
    faults = [f"lacks {name}" for name in sorted(wanted - held)]
    faults += [f"holds {name}, which is not shipped" for name in sorted(held - wanted)]
    faults += ["lacks its licence"] * ("licenses/LICENSE" not in about)
    for fault in faults:
        print(f"release: {wheel.name} {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
