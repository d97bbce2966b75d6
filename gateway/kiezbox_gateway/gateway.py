# SPDX-License-Identifier: Apache-2.0
"""The parts of a gateway and how they are joined: store, endpoint, radio link, custody, downlink, city.

Web, upkeep and service hold this object; it knows nothing of them. `process` runs them all together.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import structlog
from meshtastic.protobuf import mesh_pb2

from kiezbox.protocol import envelope
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint
from kiezbox_gateway import box_files, secret_files
from kiezbox_gateway.box_files import BoxIdentity
from kiezbox_gateway.city.broker import BrokerAddress
from kiezbox_gateway.city.command import CityCommands
from kiezbox_gateway.city.message import TOPIC_ROOT, NativeProfile
from kiezbox_gateway.city.sync import CitySync
from kiezbox_gateway.clock import SteadyClock, monotonic_ms, unix_ms
from kiezbox_gateway.configuration import Broker, Configuration
from kiezbox_gateway.custody import Custody
from kiezbox_gateway.disk import Disk
from kiezbox_gateway.downlink import Downlink
from kiezbox_gateway.radio import events as radio_events
from kiezbox_gateway.radio.link import RadioLink
from kiezbox_gateway.radio.send_queue import PORT_TEXT
from kiezbox_gateway.radio.setup import Wanted
from kiezbox_gateway.store import backup, erasure, jobs, shedding
from kiezbox_gateway.store.rows import Heard, OutboxClass, Stored, StoreError, StoreFullError
from kiezbox_gateway.store.store import Store
from kiezbox_gateway.tokens import TokenList
from kiezbox_gateway.uplink import WifiUplink

# Sequence numbers of stored readings that the endpoint is told at the start, for its receipts.
READINGS_REMEMBERED = 256
SNR_MAX_DB = 100.0
HOPS_MAX = 7

log = structlog.get_logger(part="gateway")


class Gateway:
    """All parts of a gateway. Made by `await Gateway.start(...)`, run by `process.serve`."""

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        boxes: list[BoxIdentity],
        endpoint: GatewayEndpoint,
        tokens: TokenList,
        files_read_s: float,
    ) -> None:
        self.configuration = configuration
        self.store = store
        self.boxes = {box.node_num: box for box in boxes}
        self.endpoint = endpoint
        self.tokens = tokens
        self.files_read_s = files_read_s
        # Node number -> when (monotonic, seconds) a new key is offered to this box again; see `roster`.
        self.key_offers: dict[int, float] = {}
        self.started_s = time.time()
        self.steady_clock = SteadyClock()
        self.names = {box.node_num: box.name for box in boxes}
        self.names[0] = configuration.gateway.name
        self.disk = Disk(store.folder, configuration.outbox.disk_reserve_mib, configuration.outbox.disk_free_min_mib)
        self.disk.check()
        self.city = self._make_city()
        self.link = self._make_link()
        self.uplink = self._make_uplink()
        self._making_room = asyncio.Lock()
        self.downlink = Downlink(
            endpoint, store, self.link, configuration.gateway.district, self.city.notify, self._on_payload
        )
        self.custody = Custody(
            endpoint,
            store,
            on_stored=self.city.notify,
            on_receipt_due=self.downlink.wake,
            on_query=self._on_query,
            on_mode=self.downlink.note_mode,
            on_heard=self.downlink.note_heard,
            may_take=self.disk.may_take,
            make_room=self._make_room,
        )
        self.commands = CityCommands(self.downlink, configuration.city.commands, self.boxes)
        # Parts that failed by a mistake of ours and were begun anew, by name.
        self.faults: dict[str, int] = {}
        self.background: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(cls, configuration: Configuration) -> "Gateway":
        """Read keys, open the store, resume jobs. Raises SecretFileError, StoreError, BrokerError."""
        boxes = box_files.read_boxes(configuration.boxes.file)
        files_read_s = time.time()
        tokens = TokenList(configuration.web.token_file, configuration.web.tokens_file)
        district_key = secret_files.read_district_key(configuration.boxes.district_key_file)
        secret_files.read_hex_key(configuration.radio.channel_key_file, secret_files.CHANNEL_KEY_LENGTHS)
        store = await Store.open(configuration.gateway.data_dir)
        try:
            number = configuration.gateway.number
            saved = await store.submit(lambda connection: jobs.begin_counters(connection, number, unix_ms()))
            endpoint = GatewayEndpoint(
                os.urandom(32), district_key.sign, configuration.boxes.district_key_id, saved, number
            )
            for box in boxes:
                highest, readings = await store.submit(memory_of(box.node_num))
                endpoint.add_box(box.node_num, box.root_key, highest, readings)
            gateway = cls(configuration, store, boxes, endpoint, tokens, files_read_s)
            await gateway.downlink.resume()
        except BaseException:
            await store.close()
            raise
        return gateway

    def _make_uplink(self) -> WifiUplink | None:
        settings, district = self.configuration.uplink, self.configuration.gateway.district
        if not settings.url:
            return None
        return WifiUplink(_broker_address(settings, f"kiezbox-{district}-uplink"), district, self._take_uplink)

    def _make_city(self) -> CitySync:
        city, district = self.configuration.city, self.configuration.gateway.district
        address = _broker_address(city, f"kiezbox-{district}")
        return CitySync(
            self.store,
            address,
            NativeProfile(district, self.names),
            window=city.window,
            readings_per_s=city.readings_per_s,
            retry_max_s=city.retry_max_s,
            readback=city.confirmation == "readback",
            command_topics=[f"{TOPIC_ROOT}/{district}/command/{kind}" for kind in sorted(city.commands)],
            on_command=self._on_command,
        )

    def _make_link(self) -> RadioLink:
        radio = self.configuration.radio
        wanted = Wanted(
            region=radio.region,
            preset=radio.preset,
            channel_name=radio.channel_name,
            channel_key=secret_files.read_hex_key(radio.channel_key_file, secret_files.CHANNEL_KEY_LENGTHS),
            hop_limit=radio.hop_limit,
        )
        return RadioLink(radio.address, wanted, self._on_radio, may_write=radio.setup)

    async def _on_radio(self, event: radio_events.Event) -> None:
        if isinstance(
            event, radio_events.Accepted | radio_events.Acknowledged | radio_events.Refused | radio_events.Ready
        ):
            self.downlink.note_radio(event)
        if not isinstance(event, radio_events.PacketArrived):
            return
        packet = event.packet
        from_node = getattr(packet, "from")
        if packet.channel != self.link.channel_index:
            # Also while the radio has no Kiezbox channel yet: what strangers write elsewhere is no call for help.
            self.link.status.count("other_channel")
            return
        if packet.decoded.portnum == envelope.PORTNUM:
            await self.custody.take_payload(from_node, packet.decoded.payload, _heard(packet), monotonic_ms())
        elif packet.decoded.portnum == PORT_TEXT and not packet.decoded.emoji:
            task = await self.custody.take_text(from_node, packet.id, packet.decoded.payload, monotonic_ms())
            if task is not None and self.configuration.radio.confirm_texts:
                task.add_done_callback(self._confirming(packet.id))

    def _confirming(self, packet_id: int) -> Callable[[asyncio.Task[Stored | None]], None]:
        """Shows on a resident's own device that its text is stored. A flood of texts gets no flood of answers."""

        def confirm(done: asyncio.Task[Stored | None]) -> None:
            stored = done.result() if not done.cancelled() and done.exception() is None else None
            if stored is not None and stored.outbox_class is not OutboxClass.SURPLUS:
                self.downlink.confirm_text(packet_id)

        return confirm

    async def _on_command(self, topic: str, payload: bytes) -> None:
        await self.commands.take(topic.rsplit("/", 1)[-1], payload)

    async def _take_uplink(self, from_node: int, payload: bytes) -> bool:
        """The same envelope through another door. False when it could not be stored and has to come again."""
        task = await self.custody.take_payload(from_node, payload, None, monotonic_ms())
        return task is None or await task is not None

    def _on_payload(self, payload: bytes) -> bool:
        """Receipts and commands go out by Wi-Fi as well, while boxes have used it lately."""
        if self.uplink is None:
            return False
        return self.uplink.send(payload) if payload else self.uplink.is_used

    async def erase(self, code_or_id: str, *, unconfirmed_too: bool) -> tuple[list[str], list[str]]:
        """Erase one person's call from store, log and backups. Raises StoreError.

        Returns its ids, and the copies made elsewhere that could not be reached.
        """
        now_ms = unix_ms()
        erased = await self.store.submit(
            lambda connection: erasure.erase_call(connection, code_or_id, now_ms, unconfirmed_too=unconfirmed_too)
        )
        self.city.forget(erased.sequences)
        self.downlink.forget(erased.jobs)
        await self.store.writer.outside(erasure.empty_log)
        not_reached = await asyncio.to_thread(backup.erase_from_backups, self.store.folder, erased.ids, now_ms)
        self.city.notify(OutboxClass.STAGE)
        return erased.ids, [str(path) for path in not_reached]

    async def _make_room(self, error: StoreError) -> bool:
        """Make room for a call: free the reserve, then let readings give up their pages. True when it may fit now."""
        if not isinstance(error, StoreFullError) and not self.disk.check():
            # A full disk may also show as an I/O error of the log's index; this is something else.
            return False
        async with self._making_room:
            freed = self.disk.free_reserve()
            try:
                return bool(await shedding.shed_readings(self.store, self.disk.reserve_bytes)) or freed
            except StoreError as second:
                log.error("shedding_failed", reason=second.reason)
                return freed

    def _on_query(self, node_num: int, code: str) -> None:
        task = asyncio.create_task(self.downlink.answer_query(node_num, code))
        self.background.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self.background.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # The box asks again; the gateway goes on.
            log.error("query_not_answered", reason=getattr(error, "reason", type(error).__name__))

    async def waiting_counts(self) -> dict[OutboxClass, int]:
        """Messages waiting for the city, by class."""
        rows = await self.store.rows("SELECT class, count(*) FROM message WHERE confirmed_ms IS NULL GROUP BY class")
        return {OutboxClass(row[0]): row[1] for row in rows}


def _heard(packet: mesh_pb2.MeshPacket) -> Heard:
    """What the radio says about a packet; a number that cannot be is left out."""
    hops = packet.hop_start - packet.hop_limit
    snr_cdb = round(packet.rx_snr * 100) if -SNR_MAX_DB < packet.rx_snr < SNR_MAX_DB else None
    return Heard(packet.rx_rssi, snr_cdb, hops if 0 <= hops <= HOPS_MAX else None)


def _broker_address(settings: Broker, client_id: str) -> BrokerAddress:
    return BrokerAddress(
        url=settings.url,
        client_id=settings.client_id or client_id,
        username=settings.username,
        password=secret_files.read_secret(settings.password_file).strip() if settings.password_file else None,
        ca_file=settings.ca_file,
        certificate_file=settings.certificate_file,
        certificate_key_file=settings.certificate_key_file,
        version=5 if settings.protocol == "5" else 4,
        keepalive_s=settings.keepalive_s,
    )


def memory_of(node_num: int) -> Any:
    """Highest counter and newest reading numbers of a box: a function over a connection."""

    def look(connection: sqlite3.Connection) -> tuple[int, list[int]]:
        row = connection.execute("SELECT highest_counter FROM box WHERE node_num = ?", (node_num,)).fetchone()
        prefix = f"{node_num:08x}-"
        readings = connection.execute(
            "SELECT json_extract(body, '$.sequence') FROM message"
            " WHERE id > ? AND id < ? AND kind = 'reading' ORDER BY id DESC LIMIT ?",
            (prefix, f"{node_num:08x}.", READINGS_REMEMBERED),
        ).fetchall()
        return (row[0] if row else 0), [reading[0] for reading in readings if reading[0]]

    return look
