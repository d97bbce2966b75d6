# SPDX-License-Identifier: Apache-2.0
"""The session's rules, with a clock of the test's own."""

import itertools

from meshtastic.protobuf import channel_pb2, config_pb2, mesh_pb2

from kiezbox_gateway.radio import framing, session
from kiezbox_gateway.radio.send_queue import Outgoing, SendQueue
from kiezbox_gateway.radio.session import RadioSession
from kiezbox_gateway.radio.setup import Wanted

KEY = bytes(range(32))
WANTED = Wanted("EU_868", "MEDIUM_FAST", "Kiezbox", KEY, 5)
LORA = config_pb2.Config.LoRaConfig


def said(data: bytes) -> list[mesh_pb2.ToRadio]:
    """What a session wrote."""
    reader = framing.FrameReader(mesh_pb2.ToRadio.FromString)
    return reader.feed(data)


def frame(message: mesh_pb2.FromRadio) -> bytes:
    return framing.encode(message.SerializeToString())


def handshake(nonce: int, *, key: bytes = KEY) -> bytes:
    channel = channel_pb2.Channel(index=0, role=channel_pb2.Channel.Role.PRIMARY)
    channel.settings.name, channel.settings.psk = "Kiezbox", key
    lora = LORA(use_preset=True, hop_limit=5)
    lora.region, lora.modem_preset = LORA.RegionCode.EU_868, LORA.ModemPreset.MEDIUM_FAST
    return b"".join(
        map(
            frame,
            (
                mesh_pb2.FromRadio(my_info=mesh_pb2.MyNodeInfo(my_node_num=7)),
                mesh_pb2.FromRadio(channel=channel),
                mesh_pb2.FromRadio(config=config_pb2.Config(lora=lora)),
                mesh_pb2.FromRadio(config_complete_id=nonce),
            ),
        )
    )


def queue_status(packet_id: int = 0, free: int = 16, res: int = 0) -> bytes:
    return frame(
        mesh_pb2.FromRadio(queueStatus=mesh_pb2.QueueStatus(free=free, maxlen=16, mesh_packet_id=packet_id, res=res))
    )


def begin(queue: SendQueue | None = None, **options: bool) -> tuple[RadioSession, int]:
    """A session and the nonce it asked with."""
    started = RadioSession(SendQueue() if queue is None else queue, WANTED, 70_000, 0, **options)
    (message,) = said(started.take_output())
    return started, message.want_config_id


def ready(queue: SendQueue | None = None) -> RadioSession:
    started, nonce = begin(queue)
    events = started.receive(handshake(nonce), 10)
    assert session.Ready(7, ()) in events
    return started


def packet(packet_id: int) -> Outgoing:
    return Outgoing(packet_id, 256, b"payload", 2)


def test_starts_with_wake_bytes_and_want_config() -> None:
    started = RadioSession(SendQueue(), WANTED, 70_000, 0)
    output = started.take_output()
    assert output.startswith(b"\xc3" * 32)
    assert said(output)[0].want_config_id


def test_stale_nonce_does_not_complete_the_handshake() -> None:
    started, nonce = begin()
    assert started.receive(handshake(nonce - 1), 5) == []
    assert not started.ready


def test_silent_radio_is_asked_again_and_given_up_in_seconds() -> None:
    started, _ = begin()
    assert started.poll(2_500) == []
    assert said(started.take_output())[0].want_config_id
    assert started.poll(7_000) == [session.GiveUp("silent")]


def test_endless_handshake_is_given_up() -> None:
    started, _ = begin()
    for now_ms in range(0, 30_000, 500):
        started.receive(b"debug text\n", now_ms)
        assert started.poll(now_ms) == []
    assert started.poll(30_000) == [session.GiveUp("handshake_timeout")]


def test_quiet_radio_gets_heartbeats_and_silence_ends_it() -> None:
    started = ready()
    asked = []
    for now_ms in range(100, 6_000, 100):
        assert started.poll(now_ms) == []
        asked += said(started.take_output())
    assert len(asked) == 2
    assert all(message.WhichOneof("payload_variant") == "heartbeat" for message in asked)
    started.receive(queue_status(), 6_000)
    assert started.poll(12_000) == []
    assert started.poll(13_000) == [session.GiveUp("silent")]


def test_one_packet_outstanding_until_its_queue_status() -> None:
    queue = SendQueue()
    started = ready(queue)
    queue.put(packet(1))
    queue.put(packet(2))
    started.poll(20)
    (first,) = said(started.take_output())
    assert (first.packet.id, first.packet.hop_limit, first.packet.decoded.portnum) == (1, 5, 256)
    assert first.packet.decoded.HasField("bitfield")
    started.poll(30)
    assert started.take_output() == b""
    assert started.receive(queue_status(99), 40) == []
    events = started.receive(queue_status(1), 50)
    assert events == [session.Accepted(packet(1))]
    started.poll(60)
    assert said(started.take_output())[0].packet.id == 2


def test_lost_queue_status_repeats_the_same_id_then_gives_up() -> None:
    queue = SendQueue()
    started = ready(queue)
    queue.put(packet(5))
    sent = []
    reasons = []
    for now_ms in range(20, 9_000, 250):
        started.receive(b"\n", now_ms)
        reasons += started.poll(now_ms)
        sent += [message.packet.id for message in said(started.take_output()) if message.HasField("packet")]
        if reasons:
            break
    assert sent == [5, 5, 5]
    assert reasons == [session.GiveUp("no_queue_status")]
    started.close()
    assert queue.take(0) == packet(5)


def test_full_radio_waits_and_asks_then_goes_on() -> None:
    queue = SendQueue()
    started = ready(queue)
    started.receive(queue_status(free=0), 20)
    queue.put(packet(1))
    asked = 0
    for now_ms in range(100, 5_100, 100):
        assert started.poll(now_ms) == []
        for message in said(started.take_output()):
            assert message.WhichOneof("payload_variant") == "heartbeat"
            asked += 1
            started.receive(queue_status(free=0), now_ms)
    assert asked >= 9
    started.receive(queue_status(free=3), 5_200)
    started.poll(5_210)
    assert said(started.take_output())[0].packet.id == 1


def test_radio_full_for_a_minute_is_given_up() -> None:
    started = ready()
    reasons: list[session.Event] = []
    for now_ms in range(20, 62_000, 250):
        started.receive(queue_status(free=0), now_ms)
        reasons += started.poll(now_ms)
        if reasons:
            break
    assert reasons == [session.GiveUp("queue_full")]


def test_refusals_by_queue_status_and_by_routing_error() -> None:
    queue = SendQueue()
    started = ready(queue)
    queue.put(packet(8))
    started.poll(20)
    assert started.receive(queue_status(8, res=39), 30) == [session.Refused(8, 39)]
    nak = mesh_pb2.FromRadio()
    nak.packet.decoded.portnum = 5
    nak.packet.decoded.request_id = 8
    nak.packet.decoded.payload = mesh_pb2.Routing(
        error_reason=mesh_pb2.Routing.Error.DUTY_CYCLE_LIMIT
    ).SerializeToString()
    assert started.receive(frame(nak), 40) == [session.Refused(8, 9)]


def test_reboot_starts_the_handshake_again_and_keeps_the_packet() -> None:
    queue = SendQueue()
    started = ready(queue)
    queue.put(packet(3))
    started.poll(20)
    started.take_output()
    events = started.receive(frame(mesh_pb2.FromRadio(rebooted=True)), 30)
    assert events == [session.Notice("radio_rebooted")]
    (message,) = said(started.take_output())
    assert message.want_config_id
    assert not started.ready
    started.receive(handshake(message.want_config_id), 40)
    started.poll(50)
    assert said(started.take_output())[0].packet.id == 3


def test_undecryptable_packet_is_only_counted() -> None:
    started = ready()
    message = mesh_pb2.FromRadio()
    message.packet.encrypted = b"abc"
    assert started.receive(frame(message), 20) == [session.Notice("undecryptable_packet")]


def test_radio_that_does_not_fit_is_written_to_slowly_and_read_back() -> None:
    queue = SendQueue()
    queue.put(packet(4))
    started, nonce = begin(queue)
    events = started.receive(handshake(nonce, key=b"\x01"), 10)
    assert session.Ready(7, ("channel",)) in events
    started.poll(20)
    (write,) = said(started.take_output())
    assert write.packet.decoded.portnum == 6
    assert write.packet.to == 7
    started.receive(queue_status(write.packet.id), 30)
    for now_ms in range(100, 3_000, 100):
        started.receive(b"\n", now_ms)
        started.poll(now_ms)
    # Nothing was sent to the mesh under a wrong channel.
    assert all(not message.HasField("packet") for message in said(started.take_output()))
    started.receive(b"\n", 3_050)
    started.poll(3_100)
    nonces = [message.want_config_id for message in said(started.take_output()) if message.want_config_id]
    assert len(nonces) == 1
    assert session.Ready(7, ()) in started.receive(handshake(nonces[0]), 3_200)
    started.poll(3_210)
    assert said(started.take_output())[0].packet.id == 4


def test_without_permission_a_radio_is_not_written_to() -> None:
    started, nonce = begin(may_write=False)
    events = started.receive(handshake(nonce, key=b"\x01"), 10)
    assert session.Notice("radio_does_not_fit", "channel") in events
    for now_ms in range(100, 5_000, 100):
        started.receive(b"\n", now_ms)
        started.poll(now_ms)
    assert all(not message.HasField("packet") for message in said(started.take_output()))


def test_next_wakeup_is_never_in_the_past_and_within_the_silence_limit() -> None:
    started = ready()
    for now_ms in range(10, 7_000, 333):
        assert now_ms <= started.next_wakeup_ms(now_ms) <= now_ms + session.SILENCE_MS


def test_radio_that_takes_no_setting_is_not_rebooted_for_ever() -> None:
    """Each LoRa write makes it reboot; attempts are counted over the connections that this costs."""
    attempts = session.SetupAttempts()
    now_ms, written_at_ms = 0, []
    while now_ms < 6 * 3_600_000:
        state = RadioSession(SendQueue(), WANTED, 70_000, now_ms, attempts=attempts)
        nonce = said(state.take_output())[0].want_config_id
        state.receive(handshake(nonce, key=b"other key, 16 by"), now_ms)
        wrote = False
        # Ten minutes at most on one connection; ten seconds after a write the radio reboots.
        for _ in range(60):
            now_ms += 10_000
            state.receive(queue_status(), now_ms)
            state.poll(now_ms)
            messages = said(state.take_output())
            if any(message.packet.decoded.portnum == 6 for message in messages):
                written_at_ms.append(now_ms)
                wrote = True
            elif wrote:
                break
            for message in messages:
                if message.want_config_id:
                    state.receive(handshake(message.want_config_id, key=b"other key, 16 by"), now_ms)
        state.close()
    assert 12 <= len(written_at_ms) <= 30
    gaps = [later - earlier for earlier, later in itertools.pairwise(written_at_ms)]
    assert max(gaps) >= 3_600_000
    # One that has learnt it at last starts with a clean sheet.
    state = RadioSession(SendQueue(), WANTED, 70_000, now_ms, attempts=attempts)
    state.receive(handshake(said(state.take_output())[0].want_config_id), now_ms)
    assert attempts == session.SetupAttempts()
