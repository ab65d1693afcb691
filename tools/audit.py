"""Known vulnerabilities of what is installed: exit code 0 none, 1 some, 2 nothing was checked.

    python tools/audit.py PIP_AUDIT SITE_PACKAGES REPORT.json

pip-audit ends with 1 both where it found some and where it could not ask; and an index that knows
no package says that there is nothing.
"""

import json
import subprocess
import sys
from pathlib import Path


def main(pip_audit: str, packages: str, report: str) -> int:
    """Ask the index of open source vulnerabilities (OSV) and say what it knows."""
    Path(report).unlink(missing_ok=True)
    asked = subprocess.run(
        [pip_audit, "--path", packages, "--vulnerability-service", "osv", "--timeout", "20",
         "--progress-spinner", "off", "--format", "json", "--output", report],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        found = json.loads(Path(report).read_text(encoding="utf-8"))["dependencies"]
    except (OSError, ValueError, KeyError):
        said = (asked.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"audit: NOTHING WAS CHECKED, the index was not reached: {said[:300]}")
        return 2
    checked = [one for one in found if "vulns" in one]
    for one in checked:
        for known in one["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no version yet"
            print(f"audit: {one['name']} {one['version']}: {known['id']}, mended in {mended}")
    skipped = [one["name"] for one in found if "vulns" not in one]
    if skipped:
        print(f"audit: not checked: {', '.join(skipped)}")
    print(f"audit: {len(checked)} packages checked, details in {report}")
    if not checked:
        return 2
    return int(any(one["vulns"] for one in checked))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
