# SPDX-License-Identifier: Apache-2.0
"""The code typed at another box, all the way: two boxes with the whole firmware on MicroPython, real frames between
them and a gateway's protocol core. What the second box asks goes over the air, and the answer comes back."""

import re
import struct
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from kiezbox.protocol import envelope
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.events import Persist, Send
from kiezbox.protocol.frame import BROADCAST
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint, Received
from kiezbox.protocol.mesh import MeshNode, PacketReceived, Transmit
from kiezbox.protocol.packet import Data
from kiezbox_simulator.firmware_build import FirmwareBuild, build
from kiezbox_simulator.virtual import vm_link
from kiezbox_simulator.virtual.vm_pool import compile_vm
from tests.box.lone_box import AIRTIME_MS, CONFIGURATION, ROOT_KEY, LoneBox

HERE, THERE = 0x0BB0_0001, 0x0BB0_0002
STEP_S = 0.2
ADDRESS = "192.168.4.1"


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> tuple[FirmwareBuild, Path]:
    folder = tmp_path_factory.mktemp("two")
    (folder / "firmware").mkdir()
    return build(folder / "firmware"), compile_vm(folder / "vm")


class Street:
    """Two boxes that hear each other and a gateway that hears both."""

    def __init__(self, folder: Path, firmware: tuple[FirmwareBuild, Path]) -> None:
        channel = Channel("Kiezbox", bytes.fromhex(CONFIGURATION["channel"]["psk_hex"]))
        self.boxes = {
            number: LoneBox(folder / str(number), *firmware, node_num=number, mode="emergency")
            for number in (HERE, THERE)
        }
        self.node = MeshNode(0x0BB0_00FF, [channel], PRESETS["MEDIUM_FAST"], "CLIENT", 5, b"gateway of a test")
        self.gateway = GatewayEndpoint(b"gateway of a test")
        for number in self.boxes:
            self.gateway.add_box(number, ROOT_KEY)
        self.calls: dict[str, dict[str, object]] = {}
        self.asked: list[int] = []
        self._heard: list[bytes] = []
        self._seen: set[tuple[int, int]] = set()
        for number, box in self.boxes.items():
            box.heap_kib = 768  # Code lies in the heap here, and what goes to a phone is collected before it is sent.
            box.on_frame = self._from_box(number)

    def _from_box(self, number: int) -> Callable[[int, bytes], None]:
        def heard(_: int, frame: bytes) -> None:
            self._heard.append(frame)
            for other, box in self.boxes.items():
                if other != number:
                    self._to_box(box, frame)

        return heard

    def _to_box(self, box: LoneBox, frame: bytes) -> None:
        box.put(vm_link.RECEIVED, struct.pack("<hb", -90, 20) + frame, after_ms=AIRTIME_MS)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            for box in self.boxes.values():
                box.run(STEP_S)
            self._gateway(self.boxes[HERE].now_ms)

    def _gateway(self, now_ms: int) -> None:
        heard, self._heard = self._heard, []
        for frame in heard:
            for event in self.node.receive(frame, -90, 5, now_ms):
                if isinstance(event, PacketReceived) and event.data.portnum == envelope.PORTNUM:
                    self._received(self.gateway.receive(event.header.from_node, event.data.payload, now_ms), now_ms)
        for action in self.gateway.poll(now_ms):
            if isinstance(action, Persist):
                self.gateway.persisted(action.name, action.value)
            elif isinstance(action, Send):
                self.node.send(Data(envelope.PORTNUM, action.payload), BROADCAST, action.priority, now_ms)
        for action in self.node.poll(now_ms):
            if isinstance(action, Persist):
                self.node.persisted(action.name, action.value)
            elif isinstance(action, Transmit):
                for box in self.boxes.values():
                    self._to_box(box, action.frame)
                self.node.transmitted(now_ms)

    def _received(self, one: object, now_ms: int) -> None:
        if not isinstance(one, Received) or (one.node_num, one.counter) in self._seen:
            return
        self._seen.add((one.node_num, one.counter))
        if one.kind == "emergency":
            self.calls[one.message["code"]] = one.message
            self.gateway.acknowledge(one.node_num, one.counter, 2, now_ms)
        elif one.kind == "query" and one.message["code"] in self.calls:
            self.asked.append(one.node_num)
            reply = {"code": one.message["code"], "stage": 4, "station": "Leitstelle Köpenick", "text": "Wir kommen."}
            self.gateway.command(one.node_num, "reply", reply, now_ms)

    def post(self, number: int, page: str, **form: str) -> str:
        body = urlencode(form)
        head = f"POST /de/{page} HTTP/1.1\r\nHost: {ADDRESS}\r\nOrigin: http://{ADDRESS}\r\n"
        box = self.boxes[number]
        other = self.boxes[HERE if number == THERE else THERE]
        answer = box.request(f"{head}Content-Length: {len(body)}\r\n\r\n{body}", wait_s=2)
        other.run(2)
        return answer


@pytest.fixture
def street(tmp_path: Path, firmware: tuple[FirmwareBuild, Path]):
    made = Street(tmp_path, firmware)
    yield made
    for box in made.boxes.values():
        box.cut_power()


def test_the_code_is_typed_at_another_box_and_the_answer_comes_by_radio(street: Street) -> None:
    street.run(20)
    stored = street.post(HERE, "call", mode="emergency", category="2", text="Rauch im Treppenhaus")
    found = re.search(r"<strong>([0-9A-Z]{4})-([0-9A-Z]{4})</strong>", stored)
    assert found, stored[-500:]
    code = found[1] + found[2]
    street.run(30)
    assert list(street.calls) == [code]
    own = street.post(HERE, "status", code=code)
    assert own.count('class="d"') == 2
    assert "<small>gerade eben</small>" in own, "without a clock the box tells how long ago"

    asking = street.post(THERE, "status", code=f"{found[1].lower()} {found[2]}")
    assert "fragt jetzt über Funk nach" in asking
    assert "Rauch" not in asking
    street.run(60)
    assert street.asked == [THERE], "asked once, over the air"
    page = street.post(THERE, "status", code=code)
    assert page.count('class="d"') >= 4
    assert "Leitstelle Köpenick" in page
    assert "Wir kommen." in page
    assert "nur an der Box, an der Sie den Hilferuf gesendet haben" in page
    assert 'action="/de/cancel"' not in page


def test_what_one_types_at_a_box_the_other_boxs_page_does_not_show(street: Street) -> None:
    street.run(20)
    street.post(HERE, "call", mode="emergency", category="3", text="geheim", name="Nachbarin")
    street.run(30)
    assert len(street.calls) == 1
    request = f"GET /de/%s HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n"
    for number, box in street.boxes.items():
        for page in ("", "status", "help", "about", "call"):
            answer = box.request(request % page, client="192.168.4.77", wait_s=2)
            assert answer.startswith("HTTP/1.1 200"), (number, page)
            for private in (
                "geheim",
                "Nachbarin",
                *street.calls,
                *(code[:4] + "-" + code[4:] for code in street.calls),
            ):
                assert private not in answer
        assert "geheim" not in "".join(box.log)
