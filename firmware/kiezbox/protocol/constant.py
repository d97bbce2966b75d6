# SPDX-License-Identifier: Apache-2.0
"""`const` for both interpreters: mpy-cross folds `_NAME = const(5)` into the code that uses it and keeps no name at
run time.

Only names with an underscore vanish, so these cannot be imported elsewhere. Called by modules with numbers of their
own.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Value = TypeVar("Value")


def const(value: "Value") -> "Value":
    """The value itself."""
    return value
