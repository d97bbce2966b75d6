# SPDX-License-Identifier: Apache-2.0
"""Closes stores that a failing test left open (their threads would keep pytest from ending); prints results of cuts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from kiezbox_gateway.store.store import Store

RESULTS_KEY: pytest.StashKey[list[str]] = pytest.StashKey()


@pytest_asyncio.fixture(autouse=True)
async def _close_stores(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    opened: list[Store] = []
    real = Store.open

    async def record(folder: Path) -> Store:
        store = await real(folder)
        opened.append(store)
        return store

    monkeypatch.setattr(Store, "open", record)
    yield
    for store in opened:
        if not store.closed:
            await store.close()


@pytest.fixture
def note_result(request: pytest.FixtureRequest) -> "object":
    """note_result("...") puts a line under the test report."""
    results: list[str] = request.config.stash.setdefault(RESULTS_KEY, [])
    return results.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was cut how often, and what was lost."""
    results = config.stash.get(RESULTS_KEY, [])
    if results:
        terminalreporter.section("gateway: cuts")
        for line in results:
            terminalreporter.write_line(line)
