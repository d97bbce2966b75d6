# SPDX-License-Identifier: Apache-2.0
"""One box for all tests of a module. The browser is in tests/conftest.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portal.box_process import BoxProcess


@pytest.fixture(scope="module")
def shared(rom: Path) -> Iterator[BoxProcess]:
    with BoxProcess(rom) as process:
        process.tell("pack")
        yield process
        assert "Traceback" not in process.errors(), process.errors()
