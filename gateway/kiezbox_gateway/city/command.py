# SPDX-License-Identifier: Apache-2.0
"""Commands of the city, as JSON on kiezbox/v1/DISTRICT/command/KIND: answers to calls, bulletins, modes.

Each carries an id of its own; a repeated one is the same command. Everything is checked before anything is stored,
and the broker's message is acknowledged after it is stored. A command that cannot be carried out is logged by reason
and dropped.
"""

import hashlib
import json
import time
from collections.abc import Collection
from typing import Annotated, Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from kiezbox_gateway.downlink import Downlink, ModeError
from kiezbox_gateway.store.calls import NoSuchCallError, StageError

log = structlog.get_logger(part="command")
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=400)]
# As the wire format has it; how far ahead it may lie is judged when it is sent.
UnixTime = Annotated[int, Field(ge=1, le=0xFFFFFFFF)]
PAYLOAD_LENGTH_MAX = 16_384
ACTIONS = {"alert": 0, "update": 1, "cancel": 2}


class Command(BaseModel):
    """What all commands have."""

    model_config = ConfigDict(extra="forbid")
    id: Identifier


class Answer(Command):
    """Moves a call to stage 3 (station), 4 (read) or 5 (answered, with a text)."""

    call: Identifier
    stage: Literal[3, 4, 5] = 5
    station: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    text: Text | None = None


class Bulletin(Command):
    """An official notice to residents. `id` names the notice: in other languages and in later versions it is the same.

    The same text sent again is the same command.
    """

    headline: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    text: Text
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "de"
    severity: Annotated[int, Field(ge=0, le=4)] = 1
    source: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    area: Annotated[str, StringConstraints(min_length=1, max_length=60)] | None = None
    instruction: Text | None = None
    action: Literal["alert", "update", "cancel"] = "alert"
    lifetime_s: Annotated[int, Field(ge=300, le=7 * 86_400)] = 86_400

    def to_message(self, now_s: int) -> dict[str, Any]:
        """As the protocol's kind 19."""
        return {
            "identifier": self.id,
            "headline": self.headline,
            "text": self.text,
            "language": self.language,
            "severity": self.severity,
            "sent_s": now_s,
            "expires_s": now_s + self.lifetime_s,
            "source": self.source,
            "area": self.area,
            "action": ACTIONS[self.action],
            "instruction": self.instruction,
        }

    def command_id(self, origin: str) -> str:
        """The same for the same notice in the same language and words."""
        content = self.model_dump_json(exclude={"id", "language"})
        return f"{origin}:{self.id}:{self.language}:{hashlib.sha256(content.encode()).hexdigest()[:12]}"


class Mode(Command):
    """Changes the mode of all boxes; until `until_s` (Unix time), where that is given."""

    mode: Literal["everyday", "emergency", "exercise", "maintenance"]
    lifetime_s: Annotated[int, Field(ge=300, le=30 * 86_400)] = 86_400
    until_s: UnixTime | None = None


class CityCommands:
    """Carries out what the city sends. `kinds`: which commands it may send; `boxes`: node numbers for modes."""

    def __init__(self, downlink: Downlink, kinds: Collection[str], boxes: Collection[int]) -> None:
        self._downlink = downlink
        self._kinds = kinds
        self._boxes = boxes

    async def take(self, kind: str, payload: bytes) -> bool:
        """True when it was (or had been) carried out; StoreError passes, so that the broker delivers it again."""
        if kind not in self._kinds or len(payload) > PAYLOAD_LENGTH_MAX:
            log.warning("command_not_accepted", kind=kind[:20])
            return False
        try:
            await self._carry_out(kind, json.loads(payload))
        except ValidationError as error:
            fields = [".".join(map(str, each["loc"])) for each in error.errors()]
            log.warning("command_malformed", kind=kind, fields=fields)
            return False
        except ModeError as error:
            log.warning("command_impossible", kind=kind, reason=error.sentence)
            return False
        except (ValueError, RecursionError) as error:
            log.warning("command_malformed", kind=kind, reason=type(error).__name__)
            return False
        except (NoSuchCallError, StageError) as error:
            log.warning("command_impossible", kind=kind, reason=error.reason)
            return False
        return True

    async def _carry_out(self, kind: str, values: object) -> None:
        if kind == "answer":
            answer = Answer.model_validate(values)
            await self._downlink.answer(
                answer.call, answer.stage, answer.station, answer.text, "city", command_id=f"city:{answer.id}"
            )
        elif kind == "bulletin":
            bulletin = Bulletin.model_validate(values)
            now_s = int(time.time())
            await self._downlink.send_bulletin(
                bulletin.to_message(now_s),
                origin="city",
                expires_ms=(now_s + bulletin.lifetime_s) * 1000,
                command_id=bulletin.command_id("city"),
            )
        else:
            mode = Mode.model_validate(values)
            await self._downlink.send_mode(
                mode.mode,
                origin="city",
                boxes=list(self._boxes),
                lifetime_s=mode.lifetime_s,
                until_s=mode.until_s,
                command_id=f"city:{mode.id}",
            )
