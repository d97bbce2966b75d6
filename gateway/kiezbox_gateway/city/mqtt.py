# SPDX-License-Identifier: Apache-2.0
"""MQTT 3.1.1 and 5 for a client that publishes and subscribes with QoS 1, as a state machine without I/O.

Why not a library: docs/adr/0006-mqtt-client.md. Rules:
 1. The first packet out is CONNECT with a persistent session, the first in must be CONNACK.
 2. A published message is confirmed by PUBACK with its packet id, or refused by one with a reason code of 128 or more.
 3. What the broker delivers is acknowledged when the caller says so, that is after it was stored.
 4. Anything a broker must not send to such a client ends the connection (MqttError).
Nothing is kept for the next connection: the outbox in the store is the only memory.
"""

from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14
PACKET_LENGTH_MAX = 262_144
PACKET_ID_MAX = 65_535
# Session kept by an MQTT 5 broker for that long without a connection; 3.1.1 brokers decide by themselves.
SESSION_EXPIRY_S = 30 * 86_400
NO_BROKER = "the first packet was not CONNACK; is this an MQTT broker?"
REFUSALS_3 = {
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker refuses this client id",
    3: "the broker is not available",
    4: "wrong user name or password",
    5: "not authorised",
}
REFUSALS_5 = {
    0x84: "the broker does not speak MQTT 5",
    0x85: "the broker refuses this client id",
    0x86: "wrong user name or password",
    0x87: "not authorised",
    0x88: "the broker is not available",
    0x89: "the broker is busy",
    0x8A: "banned",
    0x97: "quota exceeded",
    0x9F: "too many connections",
}


class MqttError(Exception):
    """The broker broke the protocol or ended the connection."""


@dataclass(frozen=True, slots=True)
class Connected:
    """CONNACK. `receive_max` bounds what may be unconfirmed, `packet_max` the bytes of one packet."""

    session_present: bool
    receive_max: int
    packet_max: int
    keepalive_s: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker does not let this client in."""

    reason: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """PUBACK for a packet id; `reason_code` of 128 or more means that the broker did not take the message."""

    packet_id: int
    reason_code: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """SUBACK; `granted` is False when a subscription was refused."""

    granted: bool


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message from the broker. `packet_id` is 0 for QoS 0, which needs no acknowledgement."""

    topic: str
    payload: bytes
    packet_id: int


Event = Connected | Refused | Confirmed | Subscribed | Delivered


def variable_length(number: int) -> bytes:
    """MQTT's variable byte integer, up to 268,435,455."""
    encoded = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        if not number:
            encoded.append(low)
            return bytes(encoded)
        encoded.append(low | 0x80)


def read_variable_length(buffer: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """(value, position behind it), None when incomplete. Raises MqttError beyond four bytes."""
    value = 0
    for index in range(4):
        if start + index >= len(buffer):
            return None
        byte = buffer[start + index]
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, start + index + 1
    raise MqttError("malformed length")


def text(value: str | bytes) -> bytes:
    """Length-prefixed string or binary."""
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def packet(first_byte: int, body: bytes) -> bytes:
    """A whole control packet."""
    return bytes([first_byte]) + variable_length(len(body)) + body


class MqttSession:
    """One connection. `version` is 4 (MQTT 3.1.1) or 5."""

    def __init__(self, client_id: str, version: int = 4, keepalive_s: int = 30, *, clean: bool = False) -> None:
        self.version = version
        self.connected = False
        self._client_id = client_id
        self._keepalive_s = keepalive_s
        self._clean = clean
        self._buffer = bytearray()
        self._output: list[bytes] = []
        self._next_id = 0
        self._in_use: set[int] = set()
        self.pings_unanswered = 0

    # --- out ---

    def connect(self, username: str | None = None, password: bytes | None = None) -> None:
        """Queue CONNECT."""
        flags = (
            (0x80 if username is not None else 0) | (0x40 if password is not None else 0) | (0x02 if self._clean else 0)
        )
        body = text("MQTT") + bytes([self.version, flags]) + self._keepalive_s.to_bytes(2, "big")
        if self.version == 5:
            properties = b"\x11" + (0 if self._clean else SESSION_EXPIRY_S).to_bytes(4, "big")
            properties += b"\x27" + PACKET_LENGTH_MAX.to_bytes(4, "big")
            body += variable_length(len(properties)) + properties
        body += text(self._client_id)
        if username is not None:
            body += text(username)
        if password is not None:
            body += text(password)
        self._output.append(packet(CONNECT << 4, body))

    def publish(self, topic: str, payload: bytes) -> int:
        """Queue a QoS 1 message and return its packet id. The caller bounds how many are unconfirmed."""
        if len(self._in_use) >= PACKET_ID_MAX:
            raise MqttError("no packet id is free")
        packet_id = self._take_id()
        raw = topic.encode()
        length = 4 + len(raw) + len(payload) + (self.version == 5)
        self._output.append(
            b"".join(
                (
                    b"\x32",
                    variable_length(length),
                    len(raw).to_bytes(2, "big"),
                    raw,
                    packet_id.to_bytes(2, "big"),
                    b"\x00" if self.version == 5 else b"",
                    payload,
                )
            )
        )
        return packet_id

    def publish_unconfirmed(self, topic: str, payload: bytes) -> None:
        """Queue a message with QoS 0, for what comes again by itself."""
        properties = b"\x00" if self.version == 5 else b""
        self._output.append(packet(PUBLISH << 4, text(topic) + properties + payload))

    def subscribe(self, topics: list[str]) -> None:
        """Queue SUBSCRIBE with QoS 1."""
        body = self._take_id().to_bytes(2, "big") + (b"\x00" if self.version == 5 else b"")
        self._output.append(packet(SUBSCRIBE << 4 | 2, body + b"".join(text(topic) + b"\x01" for topic in topics)))

    def acknowledge(self, packet_id: int) -> None:
        """Queue PUBACK for a delivered message, once it is stored."""
        if packet_id:
            self._output.append(packet(PUBACK << 4, packet_id.to_bytes(2, "big")))

    def ping(self) -> None:
        """Queue PINGREQ."""
        self.pings_unanswered += 1
        self._output.append(packet(PINGREQ << 4, b""))

    def disconnect(self) -> None:
        """Queue DISCONNECT."""
        self._output.append(packet(DISCONNECT << 4, b""))

    def take_output(self) -> bytes:
        """Bytes for the broker, handed out once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def _take_id(self) -> int:
        while True:
            self._next_id = self._next_id % PACKET_ID_MAX + 1
            if self._next_id not in self._in_use:
                self._in_use.add(self._next_id)
                return self._next_id

    # --- in ---

    def receive(self, data: bytes) -> list[Event]:
        """Events of the packets completed by these bytes. Raises MqttError; the connection is to be closed then."""
        buffer = self._buffer
        buffer += data
        if not self.connected and buffer and buffer[0] >> 4 != CONNACK:
            raise MqttError(NO_BROKER)
        events: list[Event] = []
        position = 0
        while len(buffer) - position >= 2:
            length = read_variable_length(buffer, position + 1)
            if length is None:
                break
            size, start = length
            if size > PACKET_LENGTH_MAX:
                raise MqttError("the broker sent a packet that is too long")
            if len(buffer) < start + size:
                break
            event = self._packet(buffer[position], bytes(buffer[start : start + size]))
            if event is not None:
                events.append(event)
            position = start + size
        del buffer[:position]
        return events

    def _packet(self, first_byte: int, body: bytes) -> Event | None:
        kind = first_byte >> 4
        if not self.connected and kind != CONNACK:
            raise MqttError(NO_BROKER)
        if kind == PUBACK:
            return self._puback(body)
        if kind == PUBLISH:
            return self._publish(first_byte, body)
        if kind == CONNACK and not self.connected:
            return self._connack(body)
        if kind == PINGRESP:
            self.pings_unanswered = 0
            return None
        if kind == SUBACK:
            return self._suback(body)
        if kind == DISCONNECT and self.version == 5:
            raise MqttError(f"the broker ended the connection (reason {body[0] if body else 0:#04x})")
        raise MqttError(f"unexpected packet of type {kind}")

    def _puback(self, body: bytes) -> Confirmed:
        if len(body) < 2:
            raise MqttError("malformed PUBACK")
        packet_id = body[0] << 8 | body[1]
        if packet_id not in self._in_use:
            raise MqttError("PUBACK for a packet that was not sent")
        self._in_use.discard(packet_id)
        return Confirmed(packet_id, body[2] if len(body) > 2 else 0)

    def _suback(self, body: bytes) -> Subscribed:
        start = 2
        if self.version == 5:
            start = self._skip_properties(body, 2)
        if len(body) <= start:
            raise MqttError("malformed SUBACK")
        self._in_use.discard(body[0] << 8 | body[1])
        return Subscribed(all(code < 0x80 for code in body[start:]))

    def _connack(self, body: bytes) -> Event:
        if len(body) < 2 or (self.version == 4 and len(body) != 2):
            raise MqttError("malformed CONNACK")
        code = body[1]
        if code:
            reasons = REFUSALS_5 if self.version == 5 else REFUSALS_3
            return Refused(reasons.get(code, f"refused with code {code}"))
        receive_max, packet_max, keepalive_s = PACKET_ID_MAX, PACKET_LENGTH_MAX, None
        if self.version == 5:
            for identifier, value in self._properties(body, 2).items():
                if identifier == 0x21:
                    receive_max = max(1, value)
                elif identifier == 0x27:
                    packet_max = min(value, PACKET_LENGTH_MAX)
                elif identifier == 0x13:
                    keepalive_s = value
                elif identifier == 0x24 and value == 0:
                    return Refused("the broker does not accept QoS 1")
        self.connected = True
        return Connected(bool(body[0] & 1), receive_max, packet_max, keepalive_s)

    def _publish(self, first_byte: int, body: bytes) -> Delivered:
        quality = first_byte >> 1 & 3
        if quality > 1:
            raise MqttError("the broker sent a QoS that was not subscribed")
        end = 2 + int.from_bytes(body[:2], "big")
        if len(body) < end + 2 * quality:
            raise MqttError("malformed PUBLISH")
        try:
            topic = body[2:end].decode()
        except UnicodeDecodeError:
            raise MqttError("malformed topic") from None
        packet_id = 0
        if quality:
            packet_id = body[end] << 8 | body[end + 1]
            end += 2
        if self.version == 5:
            end = self._skip_properties(body, end)
        return Delivered(topic, body[end:], packet_id)

    def _skip_properties(self, body: bytes, start: int) -> int:
        length = read_variable_length(body, start)
        if length is None or length[1] + length[0] > len(body):
            raise MqttError("malformed properties")
        return length[1] + length[0]

    def _properties(self, body: bytes, start: int) -> dict[int, int]:
        """Integer properties by identifier; strings and pairs are read over."""
        end = self._skip_properties(body, start)
        position = (read_variable_length(body, start) or (0, start))[1]
        found: dict[int, int] = {}
        sizes = {0x24: 1, 0x25: 1, 0x28: 1, 0x29: 1, 0x2A: 1, 0x13: 2, 0x21: 2, 0x22: 2, 0x11: 4, 0x27: 4}
        while position < end:
            identifier = body[position]
            position += 1
            if identifier in sizes:
                size = sizes[identifier]
                found[identifier] = int.from_bytes(body[position : position + size], "big")
                position += size
            elif identifier in (0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F):
                position += 2 + int.from_bytes(body[position : position + 2], "big")
            elif identifier == 0x26:
                for _ in range(2):
                    position += 2 + int.from_bytes(body[position : position + 2], "big")
            else:
                raise MqttError(f"unknown property {identifier:#04x}")
        if position != end:
            raise MqttError("malformed properties")
        return found
