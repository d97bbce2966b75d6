# SPDX-License-Identifier: Apache-2.0
"""One connection to the city's broker: socket and TLS around `city.mqtt`. Closed for good when anything is wrong."""

import asyncio
import os
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kiezbox_gateway.city.mqtt import Connected, Event, MqttError, MqttSession, Refused
from kiezbox_gateway.language import SpokenError

OPEN_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 10.0
DRAIN_TIMEOUT_S = 30.0
READ_SIZE = 262_144


class BrokerError(SpokenError):
    """The broker cannot be reached, refuses us, or was lost. One sentence."""


@dataclass(frozen=True)
class BrokerAddress:
    """Where and how to connect. `version`: 4 is MQTT 3.1.1, 5 is MQTT 5."""

    url: str
    client_id: str
    username: str | None = None
    password: bytes | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None
    version: int = 4
    keepalive_s: int = 30


def tls_context(address: BrokerAddress) -> ssl.SSLContext:
    """TLS 1.2 or newer with verified names and, where given, a client certificate. Raises BrokerError."""
    try:
        context = ssl.create_default_context(cafile=address.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if address.certificate_file is not None:
            context.load_cert_chain(address.certificate_file, address.certificate_key_file)
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(
            "the TLS files of the city cannot be used: {reason}", reason=error.strerror or error
        ) from error
    return context


class BrokerConnection:
    """Open with `await BrokerConnection.open(address)`."""

    def __init__(self, session: MqttSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.session = session
        self.receive_max = 65_535
        self.packet_max = 1 << 18
        self.session_present = False
        self._reader = reader
        self._writer = writer
        self._keepalive_s = 30.0
        self._early: list[Event] = []
        self._written_s = self._read_s = time.monotonic()

    @classmethod
    async def open(cls, address: BrokerAddress) -> "BrokerConnection":
        """Connect and wait for the broker's consent. Raises BrokerError."""
        parts = urlsplit(address.url)
        secure = parts.scheme == "mqtts"
        host, port = parts.hostname or "", parts.port or (8883 if secure else 1883)
        place = f"{host}:{port}"
        context = await asyncio.to_thread(tls_context, address) if secure else None
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=READ_SIZE)
        except TimeoutError:
            raise BrokerError("the city's broker at {place} does not answer", place=place) from None
        except ssl.SSLCertVerificationError as error:
            raise BrokerError(
                "the certificate of {place} is not accepted: {reason}", place=place, reason=error.verify_message
            ) from None
        except ssl.SSLError as error:
            raise BrokerError("TLS with {place} failed: {reason}", place=place, reason=error.reason) from None
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise BrokerError(
                "the city's broker at {place} cannot be reached: {reason}", place=place, reason=reason
            ) from None
        raw = writer.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = MqttSession(address.client_id, address.version, address.keepalive_s)
        connection = cls(session, reader, writer)
        connection._keepalive_s = float(address.keepalive_s)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await connection._enter(address)
        except TimeoutError:
            await connection.close()
            raise BrokerError(
                "{place} accepts connections but does not answer; is it an MQTT broker?", place=place
            ) from None
        except BrokerError:
            await connection.close()
            raise
        return connection

    async def _enter(self, address: BrokerAddress) -> None:
        self.session.connect(address.username, address.password)
        self.flush()
        while True:
            events = await self.receive()
            while events:
                event = events.pop(0)
                if isinstance(event, Refused):
                    raise BrokerError("the city's broker refuses the gateway: {reason}", reason=event.reason)
                if isinstance(event, Connected):
                    self.receive_max, self.packet_max = event.receive_max, event.packet_max
                    self.session_present = event.session_present
                    self._keepalive_s = float(event.keepalive_s or self._keepalive_s)
                    # A broker that kept messages for us sends them right behind its consent.
                    self._early = events
                    return

    async def receive(self) -> list[Event]:
        """Wait for bytes and return what they complete. Raises BrokerError when the connection is over."""
        if self._early:
            early, self._early = self._early, []
            return early
        try:
            data = await self._reader.read(READ_SIZE)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise BrokerError("the connection to the city was lost: {reason}", reason=reason) from None
        if not data:
            raise BrokerError("the city's broker closed the connection")
        self._read_s = time.monotonic()
        try:
            return self.session.receive(data)
        except MqttError as error:
            raise BrokerError(str(error)) from error

    def flush(self) -> None:
        """Hand queued packets to the socket."""
        output = self.session.take_output()
        if output:
            self._written_s = time.monotonic()
            self._writer.write(output)

    async def drain(self) -> None:
        """Wait while the socket takes no more. Raises BrokerError, also when that lasts (a half-open connection)."""
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await self._writer.drain()
        except TimeoutError:
            # TimeoutError is an OSError.
            raise BrokerError("the city's broker takes no more data") from None
        except OSError as error:
            raise BrokerError("the connection to the city was lost") from error

    def keep_alive(self) -> float:
        """Send a ping when it is time; returns seconds until the next look. Raises BrokerError on silence."""
        now_s = time.monotonic()
        pause_s = self._keepalive_s / 2
        if self.session.pings_unanswered and now_s - max(self._written_s, self._read_s) > ANSWER_TIMEOUT_S:
            raise BrokerError("the city's broker has fallen silent")
        if now_s - min(self._written_s, self._read_s) >= pause_s and not self.session.pings_unanswered:
            self.session.ping()
            self.flush()
        return min(pause_s, 1.0)

    async def close(self) -> None:
        """Say goodbye where possible and close."""
        if self.session.connected and not self._writer.is_closing():
            self.session.disconnect()
            self.flush()
        self._writer.close()
        try:
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        except (OSError, TimeoutError, ssl.SSLError):
            self._writer.transport.abort()
