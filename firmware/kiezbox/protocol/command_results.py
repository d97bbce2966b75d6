# SPDX-License-Identifier: Apache-2.0
"""What a box did with the latest commands, to be told to the gateway, and told again when it asks again.

A result is sent once per hearing of its command: the gateway repeats the command until it has heard one. A broadcast is
heard by boxes whose result has arrived, too, so they tell it again only after a while: a hundred answers to each
repetition would fill the air that calls need. The oldest is forgotten when there is no room. Not here: what a command
does. Called by box_endpoint.py.
"""

from kiezbox.protocol.constant import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RECEIVED = 0
APPLIED = 1
REFUSED = 2
EXPIRED = 3
INCOMPLETE = 4
SUPERSEDED = 5
"""Results of a command, as sent; an owner concludes with APPLIED or REFUSED."""

_KEPT = const(8)
_COUNTER = const(0)
_DUE = const(1)
_MESSAGE = const(2)
_TOLD = const(3)


class CommandResults:
    """One entry per command counter: [counter, due_ms or None once sent, message, sent_ms or None]."""

    def __init__(self) -> None:
        self._entries: list[list[Any]] = []

    def note(self, counter: int, due_ms: int, kind: int, result: int, detail: str = "", held: int = 0) -> None:
        """Tell the result of command `counter` at `due_ms`. held: with result 4, the fragments that are here."""
        message = {"refers_to": counter, "kind": kind, "result": result}
        if detail:
            message["detail"] = detail  # type: ignore[assignment]
        if held:
            message["fragments"] = held
        entry = self._find(counter)
        if entry is None:
            if len(self._entries) >= _KEPT:
                del self._entries[0]
            self._entries.append([counter, due_ms, message, None])
        else:
            entry[_DUE] = due_ms
            entry[_MESSAGE] = message

    def conclude(self, counter: int, result: int, detail: str, now_ms: int) -> bool:
        """The owner says what became of a command; False if it is forgotten."""
        entry = self._find(counter)
        if entry is None:
            return False
        self.note(counter, now_ms, entry[_MESSAGE]["kind"], result, detail)
        return True

    def repeat(self, counter: int, due_ms: int, told_before_ms: "int | None" = None) -> None:
        """The command was heard again. told_before_ms: a result that was sent later than that is not sent again."""
        entry = self._find(counter)
        if entry is None or entry[_DUE] is not None:
            return
        if told_before_ms is None or entry[_TOLD] is None or entry[_TOLD] <= told_before_ms:
            entry[_DUE] = due_ms

    def next_due_ms(self) -> "int | None":
        """When the next result is due."""
        due_ms = None
        for entry in self._entries:
            if entry[_DUE] is not None and (due_ms is None or entry[_DUE] < due_ms):
                due_ms = entry[_DUE]
        return due_ms

    def take_due(self, now_ms: int) -> "list[dict[str, Any]]":
        """The results to send now."""
        found = []
        for entry in self._entries:
            if entry[_DUE] is not None and entry[_DUE] <= now_ms:
                entry[_DUE] = None
                entry[_TOLD] = now_ms
                found.append(entry[_MESSAGE])
        return found

    def _find(self, counter: int) -> "list[Any] | None":
        for entry in self._entries:
            if entry[_COUNTER] == counter:
                return entry
        return None
