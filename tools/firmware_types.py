# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.firmware_types`: check the firmware's types against the ESP32 board's own module stubs.

The checker must see MicroPython's standard library instead of CPython's, so the stub packages are laid out alone in
build/typings, as links to the installed and hash-checked files. Exit status is the checker's.
"""

import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

TYPINGS_DIR = Path("build/typings")
PACKAGES = ("micropython-esp32-stubs", "micropython-stdlib-stubs")
CHECKED = ("firmware/boot.py", "firmware/main.py", "firmware/kiezbox/box", "firmware/kiezbox/portal")
CONFIGURATION = """\
[mypy]
custom_typeshed_dir = build/typings
mypy_path = build/typings:firmware
no_site_packages = True
check_untyped_defs = True
# Attributes that are None until the box runs, and empty containers, are annotated where that helps a reader.
strict_optional = False
disable_error_code = var-annotated
explicit_package_bases = True
exclude = /testing\\.py$

[mypy-kiezbox.protocol.*]
# Checked strictly, against CPython, by the main configuration.
follow_imports = silent
"""


def lay_out() -> None:
    """Link every stub of both packages below TYPINGS_DIR."""
    for package in PACKAGES:
        for file in files(package) or []:
            if file.suffix != ".pyi" and file.name != "VERSIONS":
                continue
            link = TYPINGS_DIR / str(file)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(Path(str(file.locate())).resolve())


def main() -> int:
    """Print the checker's findings in the firmware; what it says of the stubs themselves is not ours to mend."""
    lay_out()
    configuration = TYPINGS_DIR / "mypy.ini"
    configuration.write_text(CONFIGURATION)
    checked = [path for path in CHECKED if Path(path).exists()]
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(configuration),
            "--cache-dir",
            ".mypy_cache/firmware",
            *checked,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    findings = [line for line in result.stdout.splitlines() if line.startswith("firmware/")]
    errors = [line for line in findings if ": error: " in line]
    print("\n".join(findings))
    if result.returncode not in (0, 1) or (result.stderr.strip() and not findings):
        print(result.stdout, result.stderr, file=sys.stderr)
        return 2
    print(f"Firmware against the board's stubs: {len(errors)} errors in {', '.join(checked)}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
