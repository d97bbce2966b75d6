# SPDX-License-Identifier: Apache-2.0
"""The configuration in force, and its way onto flash: one file that changes as a whole, with the copy before as spare.

1. A box without one asks its port `provision` once, and starts only with one that is right.
2. A message is judged, stored, and only then used or answered.
3. The schema is needed a few times a year; late.toml says that a board loads it then and drops it again.
4. Settings that could cut the box off the air stand on trial after the restart: heard from a gateway in time, they are
   kept; else the box takes back what it had, and restarts.

Not here: the keys (configuration.py). Called by box.py and upkeep.py.
"""

from kiezbox.box import configuration
from kiezbox.box.twin_file import TwinFile

TRIAL_MS = 6 * 3_600_000
APPLIED = 1
REFUSED = 2


class Unprovisioned(Exception):  # noqa: N818 - the name says what is the matter
    """There is no configuration, or it is wrong; the text says what to do."""


class Settings:
    """`values`: every key of the configuration. `faulty`: flash did not have it whole, or not as it should be.
    `on_trial`: a gateway has still to be heard with these values.
    """

    def __init__(self, ports, room) -> None:  # noqa: ANN001
        """Raises Unprovisioned."""
        self._file = TwinFile(ports.root + "/config.")
        self._room = room
        stored = self._file.load() or {}
        self.faulty = self._file.damaged
        values = stored.get("values")
        found = configuration.problems(values) if values else []
        if found and isinstance(values, dict):
            # A newer firmware may judge otherwise: what has a default can be done without.
            self.faulty = True
            values = configuration.right_part(values)
            found = configuration.problems(values)
        if not values or found:
            file = ports.provision()
            if file is None:
                raise Unprovisioned("this box has no configuration: give it a file as docs/box-configuration.md says")
            try:
                values = configuration.read(file)
            except ValueError as error:
                raise Unprovisioned("the configuration of this box is wrong: " + str(error))
            except MemoryError:
                raise Unprovisioned("the configuration of this box is wrong: it does not fit into memory")
            finally:
                file.close()
            stored = {}
            self._save(values, None)
        before = stored.get("before")
        self._before: dict | None = None if configuration.problems(before) else before
        self.on_trial = self._before is not None
        self.values: dict = configuration.complete(values)

    def change(self, message: dict) -> "tuple[int, str, bool]":
        """Apply a proven configuration message: result and detail for the gateway, and whether a restart is due."""
        try:
            values, found, effect = configuration.change(self.values, message)
            if found:
                return REFUSED, configuration.detail(found), False
            if values != self.values:
                # A second change on trial still goes back to what was heard last.
                before = self._before or (self.values if effect == "trial" else None)
                self._save(values, before)
                self._before = before
                self.values = values
                if effect == "trial":
                    self.on_trial = False  # Not before the restart.
        except OSError:
            return REFUSED, "flash", False
        except MemoryError:
            return REFUSED, "memory", False
        return APPLIED, "" if effect == "at once" else "restart", effect != "at once"

    def heard(self) -> None:
        """A gateway was heard: what was on trial stays."""
        if self.on_trial:
            try:
                self._save(self.values, None)
            except (OSError, MemoryError):
                return  # The next word of a gateway tries again.
            self._before = None
            self.on_trial = False

    def give_back(self) -> bool:
        """The trial is over and nobody was heard: True if the old settings are on flash and a restart is due."""
        if not self.on_trial:
            return False
        try:
            self._save(self._before, None)
        except (OSError, MemoryError):
            return False
        self.on_trial = False
        return True

    def _save(self, values: "dict | None", before: "dict | None") -> None:
        self._room.write(lambda: self._file.save({"values": values, "before": before}))
