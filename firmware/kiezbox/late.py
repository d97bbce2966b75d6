# SPDX-License-Identifier: Apache-2.0
"""Code that a box rarely runs: on the board it stays in flash until it is called, and what was loaded is garbage
afterwards. Which that is says firmware/late.toml; the build takes it out (simulator, firmware_late.py).

The unit used last is kept, because one late function often calls another. `forget` lets go of it.

Not here: anything that a program on CPython or a single module needs; there, all code is simply there. Called by what
the build puts in the place of a late function, and by upkeep.py.
"""

import sys

_kept: list = ["", None]


def load_late(name: str):  # noqa: ANN201
    """A module of late functions. Raises ImportError if there is none, MemoryError."""
    if _kept[0] != name:
        forget()
        try:
            _kept[1] = __import__(name)
            _kept[0] = name
        finally:
            sys.modules.pop(name, None)
    return _kept[1]


def find_late(self, name: str):  # noqa: ANN001, ANN201
    """`__getattr__` of a class with late methods. What is returned may be kept for long: it holds no code."""
    kind = type(self).__name__
    getattr(load_late(kind), name)  # AttributeError, if there is none.
    return lambda *given, **named: getattr(load_late(kind), name)(self, *given, **named)


def start_late(self, *given, **named) -> None:  # noqa: ANN001, ANN002, ANN003
    """`__init__` of a class whose own is late."""
    load_late(type(self).__name__).__init__(self, *given, **named)


def start_once(self, *given, **named) -> None:  # noqa: ANN001, ANN002, ANN003
    """The same for those that are made when a box starts, all in one unit and called as their class."""
    getattr(load_late("start"), type(self).__name__)(self, *given, **named)


def forget() -> None:
    """Let go of the unit used last."""
    _kept[0] = ""
    _kept[1] = None
