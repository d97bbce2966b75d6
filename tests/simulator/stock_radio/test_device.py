# SPDX-License-Identifier: Apache-2.0
"""The radio between client and mesh, driven with bytes and times: queue status, errors, packets both ways."""

from meshtastic.protobuf import mesh_pb2

from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import BROADCAST, decode_header
from kiezbox.protocol.mesh import MeshNode
from kiezbox.protocol.packet import Data
from kiezbox_simulator.stock_radio.device import ERRNO_SHOULD_RELEASE, ERRNO_UNKNOWN, TELEMETRY_MS, StockRadio
from kiezbox_simulator.stock_radio.packets import PORTS
from kiezbox_simulator.stock_radio.settings import RadioSettings

OWN = 0x7C3E51A4
KEY = bytes(range(32))
ERROR = mesh_pb2.Routing.Error


def make(node_num: int = OWN) -> StockRadio:
    settings = RadioSettings(node_num, f"radio {node_num & 15}", "r", bytes(range(1, 33)))
    settings.provision("MEDIUM_FAST", "Kiezbox", KEY, 3)
    return StockRadio(settings, node_num.to_bytes(32, "big"), 0, 1_700_000_000)


def connected(radio: StockRadio) -> StockRadio:
    radio.client_connected()
    radio.from_client(mesh_pb2.ToRadio(want_config_id=5).SerializeToString(), 0)
    drain(radio)
    return radio


def drain(radio: StockRadio) -> list[mesh_pb2.FromRadio]:
    return [mesh_pb2.FromRadio.FromString(payload) for payload in iter(radio.take_for_client, None)]


def send(radio: StockRadio, port: int = 256, packet_id: int = 77, now_ms: int = 0, **fields: int) -> None:
    message = mesh_pb2.ToRadio()
    payload = bytes(fields.pop("length", 5))
    message.packet.CopyFrom(mesh_pb2.MeshPacket(to=fields.pop("to", BROADCAST), id=packet_id, **fields))
    message.packet.decoded.portnum = port  # type: ignore[assignment]
    message.packet.decoded.payload = payload
    radio.from_client(message.SerializeToString(), now_ms)


def states(messages: list[mesh_pb2.FromRadio]) -> list[tuple[int, int, int]]:
    return [
        (m.queueStatus.res, m.queueStatus.free, m.queueStatus.mesh_packet_id)
        for m in messages
        if m.HasField("queueStatus")
    ]


def errors(messages: list[mesh_pb2.FromRadio]) -> list[tuple[int, int]]:
    """(id of the packet, reason) of every routing packet."""
    return [
        (m.packet.decoded.request_id, mesh_pb2.Routing.FromString(m.packet.decoded.payload).error_reason)
        for m in messages
        if m.HasField("packet") and m.packet.decoded.portnum == PORTS.ROUTING_APP
    ]


def next_frame(radio: StockRadio, start_ms: int = 0) -> tuple[bytes, int]:
    now_ms = start_ms
    for _ in range(200):
        transmit = radio.poll(now_ms)
        if transmit is not None:
            return transmit.frame, now_ms
        now_ms = max(now_ms + 1, radio.next_wakeup_ms(now_ms))
    raise AssertionError("nothing to send")


def test_before_the_handshake_nothing_is_said_and_after_it_what_waited() -> None:
    sender = MeshNode(9, [Channel("Kiezbox", KEY)], PRESETS["MEDIUM_FAST"], entropy=b"x" * 16)
    sender.send(Data(256, b"early"), BROADCAST, 5, 0)
    now_ms, actions = 0, sender.poll(0)
    while not any(hasattr(action, "frame") for action in actions):
        now_ms += 10
        actions = sender.poll(now_ms)
    radio = make()
    radio.receive(next(action.frame for action in actions if hasattr(action, "frame")), -100, -2, now_ms)
    radio.client_connected()
    assert drain(radio) == []
    radio.from_client(mesh_pb2.ToRadio(want_config_id=5).SerializeToString(), 0)
    messages = drain(radio)
    assert messages[-1].packet.decoded.payload == b"early"
    assert messages[-2].config_complete_id == 5
    assert (messages[-1].packet.rx_rssi, messages[-1].packet.rx_time) == (-100, 1_700_000_000 + now_ms // 1000)


def test_a_packet_goes_out_as_the_firmware_sends_it_and_the_status_names_it() -> None:
    radio = connected(make())
    send(radio, packet_id=77, hop_limit=4)
    assert states(drain(radio)) == [(0, 15, 77)]
    frame, _ = next_frame(radio)
    header = decode_header(frame)
    assert (header.from_node, header.to_node, header.packet_id) == (OWN, BROADCAST, 77)
    assert (header.hop_limit, header.hop_start, header.relay_node) == (4, 4, OWN & 0xFF)
    plain = mesh_pb2.Data.FromString(Channel("Kiezbox", KEY).crypt(OWN, 77, frame[16:]))
    assert (plain.portnum, plain.payload, plain.HasField("bitfield")) == (256, bytes(5), True)


def test_a_full_queue_says_so_and_then_that_there_is_room() -> None:
    radio = connected(make())
    for number in range(1, 18):
        send(radio, packet_id=number)
    answers = states(drain(radio))
    assert [free for _, free, _ in answers] == [*range(15, -1, -1), 0]
    assert answers[-1] == (ERRNO_UNKNOWN, 0, 17)
    _, now_ms = next_frame(radio)
    send(radio, packet_id=18, now_ms=now_ms)
    drain(radio)
    radio.transmitted(now_ms)
    assert states(drain(radio)) == [(0, 0, 0)]


def test_too_large_is_refused_at_the_firmware_limit() -> None:
    radio = connected(make())
    send(radio, packet_id=1, length=231)
    send(radio, packet_id=2, length=232)
    messages = drain(radio)
    assert [(result, number) for result, _, number in states(messages)] == [(0, 1), (ERROR.TOO_LARGE, 2)]
    assert errors(messages) == [(2, ERROR.TOO_LARGE)]


def test_direct_messages_without_a_key_and_unknown_channels_are_refused() -> None:
    radio = connected(make())
    send(radio, packet_id=1, to=4711)
    send(radio, packet_id=2, channel=5)
    send(radio, packet_id=3, port=PORTS.UNKNOWN_APP)
    assert errors(drain(radio)) == [(1, ERROR.PKI_SEND_FAIL_PUBLIC_KEY), (2, ERROR.NO_CHANNEL), (3, ERROR.BAD_REQUEST)]
    assert radio.mesh.queue.items == []


def test_above_the_legal_tenth_everything_is_refused_with_a_notification() -> None:
    radio = connected(make())
    radio.ledger.spend(360_001, 0)
    send(radio, packet_id=1)
    messages = drain(radio)
    assert errors(messages) == [(1, ERROR.DUTY_CYCLE_LIMIT)]
    assert "Duty cycle" in next(m.clientNotification.message for m in messages if m.HasField("clientNotification"))


def test_rate_limited_text_gets_status_zero_and_an_error() -> None:
    radio = connected(make())
    send(radio, PORTS.TEXT_MESSAGE_APP, 1)
    send(radio, PORTS.TEXT_MESSAGE_APP, 2, now_ms=1_999)
    send(radio, PORTS.TEXT_MESSAGE_APP, 2, now_ms=5_000)
    messages = drain(radio)
    assert [(result, number) for result, _, number in states(messages)] == [(0, 1), (0, 2)]
    assert errors(messages) == [(2, ERROR.RATE_LIMIT_EXCEEDED)]
    assert radio.counters == {"rate_limited": 1, "silent_duplicate": 1}


def test_heartbeats_are_answered_at_once_and_garbage_is_counted() -> None:
    radio = make()
    radio.client_connected()
    heartbeat = mesh_pb2.ToRadio()
    heartbeat.heartbeat.SetInParent()
    radio.from_client(heartbeat.SerializeToString(), 0)
    assert states(drain(radio)) == [(0, 16, 0)]
    radio.from_client(b"\xff\xff\xff\xff", 0)
    assert radio.counters == {"malformed_to_radio": 1}


def test_a_packet_to_itself_does_not_go_on_the_air() -> None:
    radio = connected(make())
    send(radio, PORTS.ADMIN_APP, 1, to=OWN)
    assert [result for result, _, _ in states(drain(radio))] == [ERRNO_SHOULD_RELEASE]
    assert radio.mesh.queue.items == []


def test_two_radios_introduce_themselves_and_a_relayed_text_is_acknowledged() -> None:
    first, second = connected(make(OWN)), connected(make(OWN + 1))
    send(first, PORTS.TEXT_MESSAGE_APP, 42, want_ack=1)
    frame, now_ms = next_frame(first)
    first.transmitted(now_ms)
    second.receive(frame, -110, -3, now_ms)
    frames = []
    for _ in range(3):
        frame, now_ms = next_frame(second, now_ms)
        second.transmitted(now_ms)
        frames.append(frame)
        if decode_header(frame).packet_id == 42:
            break
    for frame in frames:
        first.receive(frame, -110, -3, now_ms)
    assert (42, ERROR.NONE) in errors(drain(first))
    text = [m.packet for m in drain(second) if m.packet.decoded.portnum == PORTS.TEXT_MESSAGE_APP]
    assert [(packet.id, packet.hop_start, packet.hop_limit) for packet in text] == [(42, 3, 3)]
    assert [node.num for node in second.nodes.others()] == [OWN]


def test_others_direct_messages_stay_from_the_client_and_are_relayed() -> None:
    sender = MeshNode(9, [Channel("Kiezbox", KEY)], PRESETS["MEDIUM_FAST"], entropy=b"x" * 16)
    sender.send(Data(PORTS.POSITION_APP, b""), 10, 4, 0)
    now_ms = sender.next_wakeup_ms(0) or 0
    frame = next(action.frame for action in sender.poll(now_ms) if hasattr(action, "frame"))
    radio = connected(make())
    radio.receive(frame, -110, -3, now_ms)
    assert [m for m in drain(radio) if m.HasField("packet")] == []
    relayed, _ = next_frame(radio, now_ms)
    assert decode_header(relayed).hop_limit == decode_header(frame).hop_limit - 1


def test_a_foreign_channel_reaches_the_client_encrypted() -> None:
    sender = MeshNode(9, [Channel("Other", KEY)], PRESETS["MEDIUM_FAST"], entropy=b"x" * 16)
    sender.send(Data(256, b"secret"), BROADCAST, 4, 0)
    now_ms = sender.next_wakeup_ms(0) or 0
    frame = next(action.frame for action in sender.poll(now_ms) if hasattr(action, "frame"))
    radio = connected(make())
    radio.receive(frame, -110, -3, now_ms)
    (message,) = [m for m in drain(radio) if m.HasField("packet")]
    assert (message.packet.encrypted, message.packet.channel) == (frame[16:], frame[13])


def test_its_own_telemetry_comes_every_minute() -> None:
    radio = connected(make())
    radio.poll(TELEMETRY_MS)
    (message,) = [m for m in drain(radio) if m.HasField("packet")]
    assert message.packet.decoded.portnum == PORTS.TELEMETRY_APP
