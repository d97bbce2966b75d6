# SPDX-License-Identifier: Apache-2.0
"""Official notices, on flash until they expire; read from there when a page shows them.

1. A notice is known by identifier and language. A later version takes the place of an earlier one, never the reverse; a
   cancellation removes all languages.
2. There is room for a few. Then what has expired goes first, after that the least severe, of those the oldest.
3. The signed counter of a notice is persisted after this file has it, so a power cut in between makes the box hear it
   once more.

Not here: proof (protocol), how a page shows it (portal). Called by box.py.
"""

import json

from kiezbox.box.journal import Journal

NOTICES_MAX = 6
_NOTICE = 1
_CANCEL = 2


class Notices:
    """One per box."""

    def __init__(self, root: str) -> None:
        self.journal = Journal(root + "/notices.log")

    def add(self, message: dict, time_s: int) -> bool:
        """A proven bulletin. False if it was not kept, because a later version is here, it has expired or there is no
        room.
        """
        cancelled = message.get("action") == _CANCEL
        if _expired(message, time_s):
            return False
        kept = []
        for one in self.valid(time_s):
            same = one.get("identifier") == message.get("identifier")
            if same and (cancelled or one.get("language") == message.get("language")):
                if (one.get("sent_s") or 0) > (message.get("sent_s") or 0):
                    return False
            else:
                kept.append(one)
        if not cancelled:
            kept.append(message)
        while len(kept) > NOTICES_MAX:
            kept.remove(min(kept, key=_weight))
        keys = [_key(one) for one in kept]
        added = not cancelled and _key(message) in keys
        try:
            # Older versions have the same key, so they are told apart by their place: the last one counts.
            if added:
                self.journal.append(_NOTICE, json.dumps(message).encode())
            self._tidy(keys)
        except OSError:
            return False
        return added or cancelled

    def valid(self, time_s: int) -> "list[dict]":
        """Those that have not expired, oldest first. time_s: unix seconds, 0 if not known."""
        found = {}
        for _, payload in self.journal.records():
            message = json.loads(payload)
            if not _expired(message, time_s):
                found.pop(_key(message), None)
                found[_key(message)] = message
        return list(found.values())

    def sweep(self, time_s: int) -> bool:
        """Remove what has expired; True if there was something."""
        count = sum(1 for _ in self.journal.records())
        valid = self.valid(time_s)
        if len(valid) == count:
            return False
        try:
            self._tidy([_key(one) for one in valid])
        except OSError:
            return False
        return True

    def _tidy(self, keys: "list[str]") -> None:
        """Keep the last record of each key."""
        last = {}
        place = 0
        for _, payload in self.journal.records():
            last[_key(json.loads(payload))] = place
            place += 1
        if place == len(keys):
            return
        places = [last[key] for key in keys if key in last]
        at = -1

        def wanted(kind: int, payload: bytes) -> bool:
            nonlocal at
            at += 1
            return at in places

        self.journal.rewrite(wanted)


def _key(message: dict) -> str:
    return str(message.get("identifier")) + " " + str(message.get("language"))


def _weight(message: dict) -> "tuple[int, int]":
    return message.get("severity") or 0, message.get("sent_s") or 0


def _expired(message: dict, time_s: int) -> bool:
    return bool(time_s and message.get("expires_s") and message["expires_s"] <= time_s)
