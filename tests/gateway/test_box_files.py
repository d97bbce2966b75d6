# SPDX-License-Identifier: Apache-2.0
"""The list of boxes: taking one out leaves everything else as it was; a key change survives at any point."""

from pathlib import Path

import pytest

from kiezbox_gateway import box_files
from kiezbox_gateway.secret_files import SecretFileError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "boxes.toml"
    file.write_text("# Our boxes.\n")
    file.chmod(0o600)
    for node_num, name in ((5, "Fünf"), (6, "[[box]]"), (7, "Sieben")):
        box_files.enroll_box(file, node_num, name)
    return file


def test_a_box_is_taken_out_and_the_rest_stays(file: Path) -> None:
    file.write_text(file.read_text().replace('name = "Sieben"', 'name = "Sieben"  # on the roof\nlatitude = 52.5'))
    before = file.read_text()
    removed = box_files.remove_box(file, 6)
    assert removed.name == "[[box]]"
    assert [box.node_num for box in box_files.read_boxes(file)] == [5, 7]
    assert file.read_text().startswith("# Our boxes.\n")
    assert "# on the roof" in file.read_text()
    assert len(before) > len(file.read_text())
    assert not (file.parent / "keys" / "box-00000006.key").exists()
    assert (file.parent / "keys" / "box-00000005.key").exists()
    with pytest.raises(SecretFileError, match="is not in"):
        box_files.remove_box(file, 6)
    # It can come back, with another key.
    box_files.enroll_box(file, 6, "Sechs")
    assert box_files.read_boxes(file)[-1].root_key != removed.root_key


def test_a_file_written_otherwise_is_left_to_its_writer(file: Path) -> None:
    key = "keys/box-00000005.key"
    file.write_text(f'box = [{{node_num = "5", name = "n", root_key_file = "{key}"}}]\n')
    before = file.read_text()
    with pytest.raises(SecretFileError, match="only you can change"):
        box_files.remove_box(file, 5)
    assert file.read_text() == before
    assert (file.parent / key).exists()


def test_change_of_a_key(file: Path) -> None:
    old = box_files.read_boxes(file)[0]
    path = box_files.begin_key_change(file, 5)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SecretFileError, match="exists already"):
        box_files.begin_key_change(file, 5)
    begun = box_files.read_boxes(file)[0]
    assert begun.root_key == old.root_key
    assert begun.next_root_key is not None
    box_files.finish_key_change(begun)
    done = box_files.read_boxes(file)[0]
    assert (done.root_key, done.next_root_key) == (begun.next_root_key, None)
    with pytest.raises(SecretFileError, match="is not in"):
        box_files.begin_key_change(file, 99)
