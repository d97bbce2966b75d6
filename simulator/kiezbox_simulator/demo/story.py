# SPDX-License-Identifier: Apache-2.0
"""The story, chapter by chapter: what happens, why it matters, and what is checked. A line that does not hold ends it.

Every check looks from outside, as the person in the story would: at the city's subscriber, at the box's page, at the
gateway's API, at the air. Not here: starting and stopping (`stage.py`), counting (`accounting.py`).
"""

import asyncio
import subprocess
from dataclasses import dataclass, field
from typing import Any

from kiezbox_simulator.demo import accounting
from kiezbox_simulator.demo import deployment as plan
from kiezbox_simulator.demo.narration import Narrator
from kiezbox_simulator.demo.resident import STAGE_GATEWAY, STAGE_STORED, Page, PageError, Phone
from kiezbox_simulator.demo.stage import Stage
from kiezbox_simulator.program import installed_command
from kiezbox_simulator.real_gateway.process import GatewayError

CALL = {
    "category": "5",
    "text": "Mein Mann braucht Strom für sein Sauerstoffgerät, der Akku reicht noch zwei Stunden.",
    "place": "Maaßenstraße 7, 3. Stock links",
    "people": "2",
    "name": "A. Yılmaz",
    "contact": "",
}
TEXT = "Hallo, Kleiststr. 12: Aufzug steckt fest, 3 Personen"
SENDERS = {place.node_num: place.name for place in (*plan.BOXES, plan.RESIDENT_RADIO)}
HOPS_MIN = 3
TYPING_S = 4.0
NAMES_MIN = 3
"""Of five boxes, how many names must reach the resident's radio. Each is on the air once, and frames can meet."""

TRAVEL_MAX_MS = 12_000
"""A frame that has not come through after that time does not come any more."""


@dataclass
class Found:
    """What the story found out, for the table and summary.json."""

    code: str = ""
    call_id: str = ""
    text_id: str = ""
    hops: int = 0
    gateway_pids: list[int] = field(default_factory=list)
    dark_from_s: float = 0.0
    dark_until_s: float = 0.0
    waiting_in_the_dark: int = 0
    counted: list[accounting.Row] = field(default_factory=list)


class Story:
    """Plays on a stage that is set up. `found` fills as it goes; raises StoryError at the first line that does not
    hold."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self.stage = stage
        self.narrator = narrator
        self.found = Found()
        self._phone = Phone(stage.box_ports[-1])

    async def play(self) -> None:
        """All chapters."""
        await self._everyday()
        await self._dark()
        await self._emergency()
        await self._call()
        await self._stock_device()
        await self._killed()
        await self._returns()
        await self._account()

    async def _everyday(self) -> None:
        narrator, city = self.narrator, self.stage.city
        narrator.chapter(
            "1  Everyday",
            "The boxes measure air, weather and noise, so that they are in use and looked after when nothing is wrong.",
        )
        names = {f"{box.node_num:08x}": box.name for box in plan.BOXES}

        def heard() -> set[str]:
            return {arrival.box for arrival in city.of_kind("reading")}

        async def all_heard() -> bool:
            return set(names) <= heard()

        await narrator.expect(
            "readings of all five boxes have reached the city over MQTT", all_heard, 100, lambda: f"{len(heard())} of 5"
        )

        async def hops() -> int | None:
            boxes = (await self.stage.gateway.api("/api/v1/boxes"))["boxes"]
            return next((box["hops"] for box in boxes if box["box"] == f"{plan.BOXES[-1].node_num:08x}"), None)

        self.found.hops = await narrator.expect("the gateway knows how far away box 5 is", hops, 20)
        narrator.check(f"box 5 is {self.found.hops} relays away from the gateway's radio", self.found.hops >= HOPS_MIN)

    async def _dark(self) -> None:
        stage, narrator = self.stage, self.narrator
        narrator.chapter(
            "2  The city goes dark",
            "Power, mobile network and internet are gone. The gateway has a battery, but nobody to talk to.",
        )
        self.found.dark_from_s = narrator.at_s
        await stage.city_goes_dark()
        if stage.broker is not None:
            narrator.say("The broker's process has been killed.")
        else:
            narrator.say("Your broker is not touched: the line to it, a TCP forwarder of this demo, has been cut.")

        async def noticed() -> bool:
            return not (await stage.gateway.api("/api/v1/status"))["city"]["connected"]

        await narrator.expect("the gateway notices and goes on", noticed, 30)

    async def _emergency(self) -> None:
        stage, narrator = self.stage, self.narrator
        narrator.chapter(
            "3  The district declares an emergency",
            "One command, signed with the district's key, makes every box a place to call for help.",
        )
        command = await stage.gateway.api("/api/v1/mode", {"mode": "emergency"})
        narrator.say(f"The operator has sent it through the gateway's API (job {command['job']}).")
        phones = [Phone(port) for port in stage.box_ports]
        modes: dict[int, str] = {}

        async def all_switched() -> bool:
            for number, phone in enumerate(phones, 1):
                if modes.get(number) != "emergency":
                    modes[number] = (await phone.open()).mode
            return all(mode == "emergency" for mode in modes.values())

        await narrator.expect(
            "the pages of all five boxes show emergency mode",
            all_switched,
            100,
            lambda: f"{sum(mode == 'emergency' for mode in modes.values())} of 5",
        )

    async def _call(self) -> None:
        stage, narrator, found = self.stage, self.narrator, self.found
        narrator.chapter(
            "4  A call for help, five roofs away",
            "A resident opens the page of box 5. It must say at once that the call is safe, and later how far it got.",
        )
        form = await self._phone.open()
        narrator.check(
            "the page opens and offers to call for help", form.form_action.endswith("/call"), f"“{form.heading}”"
        )
        narrator.say(f"She writes: “{CALL['text']}”")
        await asyncio.sleep(TYPING_S)
        stored = await self._phone.call_for_help(form, CALL)
        narrator.check(
            "the call is taken", stored.status == 200 and bool(stored.code), f"{stored.notice or stored.heading}"
        )
        found.code = stored.code
        narrator.check(
            "the page says: stored in this box, and nothing more",
            stored.stage == STAGE_STORED,
            f"“{stored.text_of(STAGE_STORED)}”, code {stored.code}",
        )

        async def known() -> Page | None:
            page = await self._phone.look_up(found.code)
            return page if page.stage >= STAGE_GATEWAY else None

        page = await narrator.expect("the receipt came back over the air: the page says the gateway has it", known, 60)
        narrator.say(f"The page now says: “{page.text_of(STAGE_GATEWAY)}”.")
        call = await self._stored_call(found.code)
        narrator.check("it is in the gateway's database, word for word", call["body"].get("text") == CALL["text"])
        narrator.check("and not yet with the city", call["confirmed_at"] is None)
        found.call_id = call["id"]
        path = [*stage.air.relayed.get(call["id"], [])]
        narrator.check(f"it went from roof to roof: {', '.join(path)}", len(path) >= HOPS_MIN)
        on_air = stage.air.sent.get(call["id"])
        narrator.check("sealed for the gateway: no box on the way could read it", on_air is not None and on_air.sealed)

    async def _stock_device(self) -> None:
        narrator = self.narrator
        narrator.chapter(
            "5  Somebody with a Meshtastic device",
            "Many people own such radios. The unmodified Meshtastic command line talks to one, and its text is a call.",
        )
        said = await self._meshtastic("--sendtext", TEXT)
        narrator.check("`meshtastic --sendtext` has sent a text", "Sending text message" in said)

        async def stored() -> dict[str, Any] | None:
            calls = (await self.stage.gateway.api("/api/v1/calls"))["calls"]
            return next((call for call in calls if call["body"].get("text") == TEXT), None)

        call = await narrator.expect("the gateway has stored it as a call, marked as unverified", stored, 60)
        narrator.check(
            "its sender is the resident's radio",
            call["box"] == f"{plan.RESIDENT_RADIO.node_num:08x}" and not call["verified"],
        )
        self.found.text_id = call["id"]

    async def _killed(self) -> None:
        stage, narrator, found = self.stage, self.narrator, self.found
        narrator.chapter(
            "6  The gateway is killed",
            "SIGKILL, in the dark, holding calls for help that nobody else has. What it acknowledged must not be lost.",
        )
        waiting = (await stage.gateway.api("/api/v1/status"))["waiting"]
        found.waiting_in_the_dark = sum(waiting.values())
        found.gateway_pids.append(stage.gateway.program.pid or 0)
        stage.gateway.program.kill()
        narrator.say(
            f"Process {found.gateway_pids[0]} is gone; {found.waiting_in_the_dark} messages were waiting for the city."
        )
        # What was on the radio's wire at that very moment went down with the process, and its box keeps it.
        dead_from_ms = stage.air.now_ms + 500

        async def heard_meanwhile() -> str | None:
            sent = stage.air.sent.values()
            return next((each.id for each in sent if each.received and each.at_ms > dead_from_ms), None)

        orphan = await narrator.expect("meanwhile a box goes on, and the gateway's radio hears it", heard_meanwhile, 90)
        await stage.gateway.start()
        found.gateway_pids.append(stage.gateway.program.pid or 0)
        narrator.say(f"Started again: {stage.gateway.url}")
        for what, wanted in (("the call", found.call_id), ("the text", found.text_id)):
            call = await self._stored_call(wanted)
            narrator.check(f"{what} is still there, still waiting for the city", call["confirmed_at"] is None)

        async def taken() -> bool:
            messages = (await stage.gateway.api("/api/v1/messages?limit=1000"))["messages"]
            return any(message["id"] == orphan for message in messages)

        await narrator.expect("what the radio heard while nobody listened is in the database too", taken, 30)
        city = (await stage.gateway.api("/api/v1/status"))["city"]
        narrator.check("the city is still dark", not city["connected"])

    async def _returns(self) -> None:
        stage, narrator, found = self.stage, self.narrator, self.found
        narrator.chapter(
            "7  The city returns", "Everything that waited goes out: the call for help first, and nothing twice."
        )
        before = len(stage.city.arrivals)
        await stage.city_returns()
        found.dark_until_s = narrator.at_s
        narrator.say(
            "The broker is back, the line is mended." if stage.broker else "The line to your broker is mended."
        )

        async def both() -> bool:
            return {found.call_id, found.text_id} <= {arrival.id for arrival in stage.city.arrivals}

        await narrator.expect("call and text have reached the city", both, 30)
        after = stage.city.arrivals[before:]
        narrator.check("the call for help came first", after[0].id == found.call_id, f"{after[0].topic}")
        calls = [arrival.number for arrival in after if arrival.kind == "call"]
        others = [arrival.number for arrival in after if arrival.kind != "call"]
        narrator.check("no reading came before a call", not others or max(calls) < min(others))
        narrator.check("the city reads what the resident wrote", after[0].message["body"].get("text") == CALL["text"])

    async def _account(self) -> None:
        stage, narrator = self.stage, self.narrator
        narrator.chapter("8  The account", "What the boxes have sent until now: is it in the city, and only once?")
        wanted = [each for each in stage.air.sent.values() if each.node_num in SENDERS]
        deadline_ms = max(each.at_ms for each in wanted) + TRAVEL_MAX_MS
        left: list[str] = []

        async def all_there() -> bool:
            stored = {message["id"] for message in (await stage.gateway.api("/api/v1/messages?limit=1000"))["messages"]}
            arrived = {arrival.id for arrival in stage.city.arrivals}
            travelling = stage.air.now_ms < deadline_ms
            left[:] = [each.id for each in wanted if each.id not in arrived and (each.id in stored or travelling)]
            return not left

        await narrator.expect(
            f"of {len(wanted)} messages sent, all that the gateway has stored are in the city",
            all_there,
            60,
            lambda: f"{len(left)} on their way: {', '.join(left[:3])}",
        )
        repeated = stage.city.repeated()
        narrator.check("each arrived exactly once", not repeated, ", ".join(repeated))
        absent = [box.name for box in plan.BOXES]

        async def listed() -> bool:
            nodes = await self._meshtastic("--nodes")
            absent[:] = [box.name for box in plan.BOXES if box.name not in nodes]
            return not absent or self._never_came(absent)

        # A box tells its name in its first minute, later while the channel is busy, and then every few hours.
        await narrator.expect(
            "`meshtastic --nodes` lists the boxes by name", listed, 60, lambda: f"without {', '.join(absent)}"
        )
        if absent:
            narrator.say(
                f"{', '.join(absent)}: the name met another frame in the air. It is told again in three hours."
            )
        stage.programs.check()
        self.found.counted = await self.count({each.id for each in wanted})
        narrator.table(accounting.table(self.found.counted))
        sums = accounting.total(self.found.counted)
        if sums.kept:
            narrator.say(
                f"{sums.kept} of the readings met another frame in the air, or a gateway just killed. Nobody "
                "acknowledged them, so their boxes keep them on flash and offer them again in some minutes."
            )
        narrator.check(
            "nothing is lost", sums.lost == 0, ", ".join(each for row in self.found.counted for each in row.lost_ids)
        )

    async def count(self, wanted: set[str]) -> list[accounting.Row]:
        """The account of the messages with these ids."""
        stage = self.stage
        messages = (await stage.gateway.api("/api/v1/messages?limit=1000"))["messages"]
        return accounting.rows(
            SENDERS,
            [each for each in stage.air.sent.values() if each.id in wanted],
            [message for message in messages if message["id"] in wanted],
            [arrival.id for arrival in stage.city.arrivals],
            await stage.readings_on_flash(),
        )

    def _never_came(self, absent: list[str]) -> bool:
        """Whether all boxes have told their names, and those of these boxes did not reach the resident's radio."""
        air = self.stage.air
        told = [air.names.get(box.node_num) for box in plan.BOXES]
        if None in told or air.now_ms < max(first_ms for first_ms, _ in filter(None, told)) + TRAVEL_MAX_MS:
            return False
        came = [box.name for box in plan.BOXES if plan.RESIDENT_RADIO.name in air.names[box.node_num][1]]
        return len(came) >= NAMES_MIN and not set(came) & set(absent)

    async def _stored_call(self, wanted: str) -> dict[str, Any]:
        try:
            return await self.stage.gateway.api(f"/api/v1/calls/{wanted}")
        except GatewayError as error:
            raise self.narrator.broken(f"the gateway knows the call {wanted}", str(error)) from None

    async def _meshtastic(self, *arguments: str) -> str:
        """Run the real command line against the resident's radio; its output."""
        port = self.stage.settings.resident_port
        host = "127.0.0.1" if port == 4403 else f"127.0.0.1:{port}"
        self.narrator.say(
            f"$ meshtastic --host {host} {' '.join(arguments[:1])}" + (f' "{arguments[1]}"' if arguments[1:] else "")
        )
        process = await asyncio.create_subprocess_exec(
            installed_command("meshtastic"), "--host", host, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            output, said = await asyncio.wait_for(process.communicate(), 60)
        except TimeoutError:
            process.kill()
            raise self.narrator.broken("the meshtastic command ends", "it did not within 60 s") from None
        if process.returncode:
            raise self.narrator.broken("the meshtastic command works", said.decode(errors="replace")[-300:])
        return output.decode(errors="replace")


__all__ = ["PageError", "Story"]
