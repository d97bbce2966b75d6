# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portal.box_process import BoxProcess, image


@pytest.fixture(scope="session")
def rom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image(tmp_path_factory.mktemp("portal"))


@pytest.fixture
def box(rom: Path) -> Iterator[BoxProcess]:
    """In emergency mode; a test tells it otherwise."""
    with BoxProcess(rom) as process:
        yield process
        assert "Traceback" not in process.errors(), process.errors()
