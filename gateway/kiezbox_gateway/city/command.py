# SPDX-License-Identifier: Apache-2.0
"""Commands of the city, as JSON on kiezbox/v1/DISTRICT/command/KIND: answers to calls, bulletins, modes.

Each carries an id of its own; a repeated one is the same command. Everything is checked before anything is stored,
and the broker's message is acknowledged after it is stored. A command that cannot be carried out is logged by reason
and dropped.
"""

import json
import time
from typing import TYPE_CHECKING, Annotated, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from kiezbox_gateway.store.calls import NoSuchCallError, StageError

if TYPE_CHECKING:
    from kiezbox_gateway.process import Gateway

log = structlog.get_logger(part="command")
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=400)]
PAYLOAD_LENGTH_MAX = 16_384


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
    """An official notice to residents."""

    headline: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    text: Text
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "de"
    severity: Annotated[int, Field(ge=0, le=4)] = 1
    source: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    lifetime_s: Annotated[int, Field(ge=300, le=7 * 86_400)] = 86_400


class Mode(Command):
    """Changes the mode of all boxes."""

    mode: Literal["everyday", "emergency", "exercise", "maintenance"]
    lifetime_s: Annotated[int, Field(ge=300, le=30 * 86_400)] = 86_400


async def take_command(gateway: "Gateway", kind: str, payload: bytes) -> bool:
    """Carry out a command. True when it was (or had been) taken; StoreError passes, so that it is delivered again."""
    if kind not in gateway.configuration.city.commands or len(payload) > PAYLOAD_LENGTH_MAX:
        log.warning("command_not_accepted", kind=kind[:20])
        return False
    try:
        values = json.loads(payload)
        if kind == "answer":
            answer = Answer.model_validate(values)
            await gateway.downlink.answer(
                answer.call, answer.stage, answer.station, answer.text, "city", command_id=f"city:{answer.id}"
            )
        elif kind == "bulletin":
            await _bulletin(gateway, Bulletin.model_validate(values))
        else:
            mode = Mode.model_validate(values)
            await gateway.downlink.send_mode(
                mode.mode,
                origin="city",
                boxes=list(gateway.boxes),
                lifetime_s=mode.lifetime_s,
                command_id=f"city:{mode.id}",
            )
    except ValidationError as error:
        log.warning("command_malformed", kind=kind, fields=[".".join(map(str, each["loc"])) for each in error.errors()])
        return False
    except (ValueError, RecursionError) as error:
        log.warning("command_malformed", kind=kind, reason=type(error).__name__)
        return False
    except (NoSuchCallError, StageError) as error:
        log.warning("command_impossible", kind=kind, reason=error.reason)
        return False
    return True


async def _bulletin(gateway: "Gateway", bulletin: Bulletin) -> None:
    now_s = int(time.time())
    message = {
        "identifier": bulletin.id,
        "headline": bulletin.headline,
        "text": bulletin.text,
        "language": bulletin.language,
        "severity": bulletin.severity,
        "sent_s": now_s,
        "expires_s": now_s + bulletin.lifetime_s,
        "source": bulletin.source,
    }
    await gateway.downlink.send_bulletin(
        message,
        origin="city",
        expires_ms=(now_s + bulletin.lifetime_s) * 1000,
        command_id=f"city:{bulletin.id}",
    )
