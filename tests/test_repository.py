# SPDX-License-Identifier: Apache-2.0
"""What holds for the repository as a whole: licences named, locks free of addresses, links that lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"requirements.lock": 100, "requirements-dev.lock": 100, "requirements-referee.lock": 5}
"""And how many lines each has at least."""
LOCK_LINE = re.compile(
    r"""^(?:[a-zA-Z0-9._-]+==[^\s;]+(?:\s;\s[^\\]+?)?\s\\
        |\s{4}--hash=sha256:[0-9a-f]{64}(?:\s\\)?
        |)$""",
    re.VERBOSE,
)
SPDX = "SPDX-License-Identifier: "
LICENCES = {".py": "Apache-2.0", ".sql": "Apache-2.0", ".md": "CC-BY-4.0"}


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_holds_names_versions_and_hashes_only(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    assert len(lines) > LOCKS[name]
    assert [line for line in lines if not LOCK_LINE.match(line)] == []


def test_every_source_names_its_licence() -> None:
    wrong = []
    for path in tracked_files():
        licence = LICENCES.get(path.suffix)
        if path.suffix == ".md" and path.is_relative_to(ROOT / "hardware"):
            licence = "CERN-OHL-S-2.0"
        if licence and f"{SPDX}{licence}" not in path.read_text()[:400]:
            wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []


def test_no_path_of_a_machine_stands_in_any_file() -> None:
    machine_path = re.compile(r"/(?:root|home/[a-z]+|work)/[a-z.]", re.IGNORECASE)
    found = []
    for path in tracked_files():
        if (
            path.suffix in {".py", ".md", ".toml", ".txt", ".json", ".sql", ".yaml", ".service", ".html", ""}
            and path != Path(__file__).resolve()
        ):
            match = machine_path.search(path.read_text(errors="replace"))
            if match:
                found.append(f"{path.relative_to(ROOT)}: {match.group()}")
    assert found == []


def test_links_in_documents_lead_to_files() -> None:
    broken = []
    for path in tracked_files():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_modules_stay_small_enough_to_be_one_thing() -> None:
    long = []
    for path in tracked_files():
        if path.suffix == ".py" and "tests" not in path.relative_to(ROOT).parts:
            lines = len(path.read_text().splitlines())
            if lines > 400:
                long.append(f"{path.relative_to(ROOT)}: {lines} lines")
    assert long == []


def test_every_make_target_says_what_it_does() -> None:
    targets = re.findall(r"^([a-z]+):(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [name for name, rest in targets if "##" not in rest] in ([], ["debian"])
