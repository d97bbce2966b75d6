# SPDX-License-Identifier: Apache-2.0
"""The whole gateway as a process, between a radio peer and a real broker: custody over a blackout and a SIGKILL."""

import asyncio
import urllib.error
from pathlib import Path

import pytest

from kiezbox.protocol import envelope, events
from kiezbox_gateway import process
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.deployment import Deployment, GatewayProcess, emergency, reading
from tests.gateway.radio_peer import RadioPeer
from tests.gateway.running import running_gateway
from tests.gateway.waiting import until


async def test_call_crosses_blackout_and_kill(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    async with RadioPeer() as radio:
        deployment = Deployment(tmp_path / "gateway", radio=radio.address, city=broker.url)
        radio.channels[0].settings.psk = deployment.channel_key
        gateway = GatewayProcess(deployment)
        await gateway.start()
        box, other = deployment.box(0), deployment.box(1)
        try:
            await radio.wait_for(lambda: radio.configured_clients > 0)
            async with Subscriber(broker.port) as city:
                _, payloads = box.send("reading", reading(1))
                radio.deliver(box.node_num, envelope.PORTNUM, payloads[0])
                await city.wait_for(1)
                assert city.messages[0][0] == f"kiezbox/v1/test/{box.node_num:08x}/reading"
            broker.stop()
            # The city is dark. Readings first, then the call, then the gateway dies.
            for sequence in range(2, 12):
                _, payloads = other.send("reading", reading(sequence))
                radio.deliver(other.node_num, envelope.PORTNUM, payloads[0])
            counter, payloads = box.send("emergency", emergency())
            for payload in payloads:
                radio.deliver(box.node_num, envelope.PORTNUM, payload)
            text_id = radio.deliver(0x99887766, 1, b"Hilfe im Haus 7")

            def receipt_heard() -> bool:
                for packet in radio.received:
                    if packet.decoded.portnum == envelope.PORTNUM:
                        box.hear(packet.decoded.payload)
                return any(isinstance(each, events.StageChanged) and each.stage == 2 for each in box.events)

            await radio.wait_for(receipt_heard)
            assert not box.is_in_custody(counter)
            await radio.wait_for(lambda: any(p.decoded.reply_id == text_id and p.decoded.emoji for p in radio.received))
            await gateway.kill()
            await gateway.start()
            found = await gateway.get("/api/v1/calls")
            assert {call["id"] for call in found["calls"]} == {
                f"{box.node_num:08x}-{counter:08x}", f"99887766-p{text_id:08x}",
            }  # fmt: skip
            broker.start()
            async with Subscriber(broker.port) as city:
                await city.wait_for(12)
                kinds = [payload["kind"] for _, payload in city.messages]
                assert kinds[:2] == ["call", "call"]
                assert sorted(set(kinds[2:])) == ["reading"]
                assert len(city.ids) == len(set(city.ids))
                call = city.messages[0][1]
                assert call["verified"] is True
                assert call["body"]["text"] == "Sauerstoffgerät ohne Strom"
                assert city.messages[1][1]["verified"] is False
            await until(gateway.nothing_waits)
            with pytest.raises(urllib.error.HTTPError):
                gateway.deployment.token = "x" * 40
                await gateway.get("/api/v1/calls")
        finally:
            await gateway.stop()
            broker.stop()
    log = (tmp_path / "gateway" / "log").read_text()
    assert "Traceback" not in log
    assert "Sauerstoff" not in log


async def test_part_that_fails_is_begun_anew_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "FAULT_PAUSE_S", 0.05)
    async with running_gateway(tmp_path) as running:
        real = running.gateway.endpoint.poll

        def fail(*_: object) -> list[object]:
            monkeypatch.setattr(running.gateway.endpoint, "poll", real)
            raise KeyError("a mistake of ours")

        monkeypatch.setattr(running.gateway.endpoint, "poll", fail)
        box = running.boxes[0]
        counter, payloads = box.send("emergency", emergency())
        running.deliver(box, payloads)
        await until(lambda: not box.is_in_custody(counter))
        _, status = await running.request("GET", "/api/v1/status")
        assert status["faults"] == {"downlink": 1}


async def test_part_that_fails_again_and_again_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "FAULT_PAUSE_S", 0.05)
    with pytest.raises(ZeroDivisionError):
        async with running_gateway(tmp_path) as running:

            def fail(*_: object) -> list[object]:
                raise ZeroDivisionError

            monkeypatch.setattr(running.gateway.endpoint, "poll", fail)
            running.gateway.downlink.wake()
            assert running.task is not None
            await asyncio.wait([running.task], timeout=15)
            assert running.gateway.faults["downlink"] == process.FAULTS_MAX - 1
