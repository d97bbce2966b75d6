# SPDX-License-Identifier: Apache-2.0
"""Boxes added, shut out and given new keys while the gateway runs, and what a restart in between leaves."""

from pathlib import Path

from kiezbox_gateway import box_files, roster
from tests.gateway.deployment import Box, Deployment, emergency, reading
from tests.gateway.running import running_gateway
from tests.gateway.waiting import until


async def test_a_box_enrolled_while_it_runs_is_heard_at_once(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, boxes=1) as running:
        settings = running.gateway.configuration
        box_files.enroll_box(settings.boxes.file, 0x77, "Neu")
        identity = box_files.read_boxes(settings.boxes.file)[-1]
        box = Box(0x77, identity.root_key, {})
        payloads = box.send("emergency", emergency("Hier", "NEUE2345"))[1]
        running.deliver(box, payloads)
        await until(lambda: running.gateway.custody.status.rejected.get("unknown_box", 0) > 0)
        status, body = await running.request("POST", "/api/v1/boxes/reload")
        assert (status, body) == (200, {"added": ["00000077"], "removed": [], "keys_begun": []})
        running.deliver(box, payloads)
        await running.stored(1)
        _, body = await running.request("GET", "/api/v1/boxes")
        assert [each["name"] for each in body["boxes"]] == ["Neu", "Box 0"]
        assert (await running.request("POST", "/api/v1/boxes/reload"))[1]["added"] == []


async def test_a_box_shut_out_is_not_heard_any_more(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        first, second = running.boxes
        file = running.gateway.configuration.boxes.file
        key_file = box_files.read_boxes(file)[0].root_key_file
        assert key_file is not None
        box_files.remove_box(file, first.node_num)
        assert not key_file.exists()
        await roster.reload(running.gateway)
        running.deliver(first, first.send("reading", reading(1))[1])
        running.deliver(second, second.send("reading", reading(1))[1])
        await running.stored(1)
        assert running.gateway.custody.status.rejected == {"revoked_box": 1}


async def test_broken_list_changes_nothing(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        file = running.gateway.configuration.boxes.file
        file.write_text("[[box]]\nnode_num = 1\n")
        status, body = await running.request("POST", "/api/v1/boxes/reload")
        assert status == 409
        assert "box 1 needs" in body["error"]
        assert len(running.gateway.boxes) == 2


async def test_new_key_over_the_air_and_over_a_restart(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        file = running.gateway.configuration.boxes.file
        old = box_files.read_boxes(file)[0]
        # The box is out of reach: nothing is changed, and both keys stay on disk.
        endpoints, running.boxes = running.boxes, []
        box_files.begin_key_change(file, box.node_num)
        _, body = await running.request("POST", "/api/v1/boxes/reload")
        assert body["keys_begun"] == [f"{box.node_num:08x}"]
        await roster.change_keys(running.gateway)
        begun = box_files.read_boxes(file)[0]
        assert begun.root_key == old.root_key
        assert begun.next_root_key not in (None, old.root_key)
        _, body = await running.request("GET", "/api/v1/boxes")
        assert body["boxes"][0]["key_change_open"]
        # It goes on with the old key meanwhile.
        running.deliver(box, box.send("reading", reading(1))[1])
        await running.stored(1)
        deployment = running.deployment
    deployment = Deployment.__new__(Deployment)
    deployment.__dict__ |= running.deployment.__dict__
    async with running_gateway(tmp_path, deployment=deployment, endpoints=endpoints) as running:
        # After the restart the key is offered again, and this time the box hears it.
        await roster.change_keys(running.gateway)
        await until(lambda: "root_key" in box.saved or bool(box.due(0)))
        await until(lambda: "root_key" in box.saved)
        assert box.saved["root_key"] == (begun.next_root_key or b"").hex()
        running.let_time_pass()
        running.deliver(box, box.send("emergency", emergency("Neuer Schlüssel", "KEYS2345"))[1])
        await running.stored(2)
        await roster.change_keys(running.gateway)
        done = box_files.read_boxes(file)[0]
        assert (done.root_key, done.next_root_key) == (begun.next_root_key, None)
        _, body = await running.request("GET", "/api/v1/boxes")
        assert not body["boxes"][0]["key_change_open"]
        rows = await running.gateway.store.rows("SELECT message FROM job")
        assert not any(done.root_key.hex() in str(row) for row in rows)
