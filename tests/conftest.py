# SPDX-License-Identifier: Apache-2.0
"""Property tests try the same examples in every run, and a busy machine does not make them fail. One Chromium for all
tests that need one; without it they fail and say how to get it. Commands speak English, whoever runs the tests."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from kiezbox_simulator.interpreter import InterpreterError, interpreter

if TYPE_CHECKING:
    from playwright.sync_api import Browser

GATEWAY = Path(__file__).parent / "gateway"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--lane", choices=("gateway", "rest"), help="the gateway's tests, or the others; two halves in time"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lane = config.getoption("--lane")
    if lane is None:
        return
    chosen = [item for item in items if item.path.is_relative_to(GATEWAY) == (lane == "gateway")]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_report_header() -> str:
    """Which interpreter stands for the board; one that is named and does not do ends the run before it begins."""
    try:
        return f"boxes run on {interpreter()}"
    except InterpreterError as error:
        raise pytest.UsageError(str(error)) from None


settings.register_profile("kiezbox", derandomize=True, deadline=None)
settings.load_profile("kiezbox")
os.environ["LC_ALL"] = "C.UTF-8"

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    if not CHROMIUM.exists():
        pytest.fail("these tests need Chromium: apt-get install chromium", pytrace=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()
