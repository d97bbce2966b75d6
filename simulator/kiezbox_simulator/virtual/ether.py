# SPDX-License-Identifier: Apache-2.0
"""The ether: who hears which frame, in virtual time. The physics is in `world/reception.py` and `world/link.py`.

1. A radio asks to send. It listens for one channel activity detection (2.5 symbols); what has been on the air for
that whole time and is
   strong enough counts as activity, and then nothing is sent.
2. A sending radio hears nothing. What it was receiving is lost, what begins while it sends is lost.
3. Each frame reaches each neighbour at the link's mean power plus a fading draw of that frame and that receiver.
4. Two overlapping frames at a receiver: `world/reception.py` under capture. Spreading factors disturb each other
only far above.
5. A frame that nothing destroyed is lost with the frame error probability of its SNR.

Every loss has a reason, counted per reason. Hot path: everything that depends on a pair of stations is computed
once, in `connect`.
"""

from collections.abc import Callable

from kiezbox_simulator.virtual.schedule import Schedule
from kiezbox_simulator.virtual.station import Modulation, Station
from kiezbox_simulator.world.chance import GOLDEN, MASK_64, NORMAL_1024, mix
from kiezbox_simulator.world.link import Channel, Site, mean_received_dbm, noise_dbm
from kiezbox_simulator.world.reception import CAPTURE_DB, frame_error_tenths

RECEIVED, COLLISION, HALF_DUPLEX, HELD, WEAK, OFF, OTHER_PRESET = range(7)
REASONS = ("received", "collision", "half_duplex", "receiver_held", "weak_signal", "receiver_off", "other_preset")

OTHER_SPREADING_FACTOR_DB = {7: -8.0, 8: -11.0, 9: -13.0, 10: -17.0, 11: -20.0, 12: -23.0}
"""How far below another spreading factor's frame a frame still stands (Croce et al.: Impact of LoRa Imperfect
Orthogonality, IEEE Communications Letters 22(4), 2018, table II, least of each row)."""

HEARD_MARGIN_DB = 6.0
"""Links whose mean lies further below the demodulator's limit are left out: fading of 2 dB lifts none of them over
it."""

SNR_REPORTED_MAX_DB = 12.0
"""A strong signal lifts the SNR that a receiver reports no further, because its own gain control adds noise; seen in
the field."""

CAD_MARGIN_DB = 3.0
"""Channel activity is detected a little below what can be demodulated (as Meshtasticator assumes)."""


class Transmission:
    """One frame on the air."""

    __slots__ = ("end_us", "frame", "modulation", "receptions", "sender", "start_us")

    def __init__(self, sender: Station, frame: bytes, start_us: int, end_us: int) -> None:
        self.sender = sender
        self.frame = frame
        self.start_us = start_us
        self.end_us = end_us
        self.modulation = sender.modulation
        self.receptions: list[Reception] = []


class Reception:
    """One frame at one receiver, while it lasts. `fate` is an index into REASONS."""

    __slots__ = ("chance", "fate", "holds", "power_dbm", "station", "transmission")

    def __init__(self, station: Station, transmission: Transmission, power_dbm: float, chance: int) -> None:
        self.station = station
        self.transmission = transmission
        self.power_dbm = power_dbm
        self.chance = chance
        self.fate = RECEIVED
        self.holds = power_dbm >= station.limit_dbm and transmission.modulation is station.modulation


class Ether:
    """All radios of a scenario. `time_on_air_us(modulation name, frame length)` comes from the protocol package."""

    def __init__(self, schedule: Schedule, channel: Channel, time_on_air_us: Callable[[str, int], int]) -> None:
        self.schedule = schedule
        self.channel = channel
        self.stations: list[Station] = []
        self.links: list[list[tuple[Station, float]]] = []
        self.fates = [0] * len(REASONS)
        self.on_start: list[Callable[[Transmission], None]] = []
        self.on_end: list[Callable[[Transmission], None]] = []
        self._time_on_air_us = time_on_air_us
        self._times_us: dict[tuple[str, int], int] = {}

    def add(self, node_num: int, site: Site, modulation: Modulation, power_dbm: float) -> Station:
        """A new station; call `connect` when all are there."""
        noise = noise_dbm(self.channel, modulation.bandwidth_hz)
        station = Station(len(self.stations), node_num, site, modulation, noise, power_dbm, self.channel.seed)
        self.stations.append(station)
        return station

    def connect(self) -> None:
        """Work out every link once. Quadratic in stations, and the only thing here that is."""
        self.links = [[] for _ in self.stations]
        for first in self.stations:
            for second in self.stations[first.index + 1 :]:
                gain_db = mean_received_dbm(self.channel, 0.0, first.site, second.site)
                for sender, receiver in ((first, second), (second, first)):
                    power_dbm = gain_db + sender.power_dbm
                    if power_dbm >= receiver.limit_dbm - HEARD_MARGIN_DB:
                        self.links[sender.index].append((receiver, power_dbm))

    def time_on_air_us(self, modulation: Modulation, frame_length: int) -> int:
        """Remembered, because frames come in few lengths."""
        key = (modulation.name, frame_length)
        found = self._times_us.get(key)
        if found is None:
            found = self._times_us[key] = self._time_on_air_us(*key)
        return found

    def request(self, station: Station, frame: bytes) -> None:
        """Listen, then send. The owner hears `transmitted` or `channel_busy`. One request at a time (RuntimeError)."""
        if station.pending is not None or station.transmitting is not None:
            raise RuntimeError(f"{station.name} asked to send while it was sending")
        station.pending = frame
        self.schedule.at(self.schedule.now_us + station.modulation.cad_us, self._sensed, station)

    def send_unheard(self, station: Station, frame: bytes) -> None:
        """Send at once without listening first: what an attacker's radio does."""
        if station.transmitting is None:
            self._start(station, frame)

    def switch(self, station: Station, alive: bool) -> None:
        """Power for this radio on or off; what it was sending breaks off unheard."""
        station.alive = alive
        station.pending = None
        if not alive and station.transmitting is not None:
            for reception in station.transmitting.receptions:
                reception.fate = reception.fate or WEAK
            station.transmitting = None
        if not alive:
            for reception in station.incoming:
                reception.fate = reception.fate or OFF

    def is_busy(self, station: Station, since_us: int) -> bool:
        """Whether a channel activity detection that began at `since_us` and ends now finds anything."""
        if station.transmitting is not None:
            return True
        least_dbm = station.limit_dbm + (station.noise_dbm - station.quiet_noise_dbm) - CAD_MARGIN_DB
        for reception in station.incoming:
            if reception.transmission.start_us <= since_us and reception.power_dbm >= least_dbm:
                return reception.transmission.modulation is station.modulation
        return False

    def _sensed(self, station: Station) -> None:
        frame = station.pending
        if frame is None or not station.alive:
            return
        station.pending = None
        if self.is_busy(station, self.schedule.now_us - station.modulation.cad_us):
            if station.owner is not None:
                station.owner.channel_busy()
            return
        self._start(station, frame)

    def _start(self, station: Station, frame: bytes) -> None:
        now_us = self.schedule.now_us
        end_us = now_us + self.time_on_air_us(station.modulation, len(frame))
        transmission = Transmission(station, frame, now_us, end_us)
        station.transmitting = transmission
        station.sent += 1
        station.airtime_us += end_us - now_us
        for reception in station.incoming:
            reception.holds = False
            if reception.fate == RECEIVED:
                reception.fate = HALF_DUPLEX
        base = station.salt + station.sent * GOLDEN
        fading_db = self.channel.fading_db
        receptions = transmission.receptions
        for receiver, mean_dbm in self.links[station.index]:
            bits = mix((base ^ receiver.salt) & MASK_64)
            reception = Reception(receiver, transmission, mean_dbm + fading_db * NORMAL_1024[bits & 1023], bits >> 32)
            if receiver.transmitting is not None:
                reception.fate = HALF_DUPLEX
                reception.holds = False
            incoming = receiver.incoming
            if incoming:
                _overlap(reception, incoming, now_us)
            incoming.append(reception)
            receptions.append(reception)
        for listener in self.on_start:
            listener(transmission)
        self.schedule.at(end_us, self._end, transmission)

    def _end(self, transmission: Transmission) -> None:
        sender = transmission.sender
        modulation = transmission.modulation
        length = len(transmission.frame)
        fates = self.fates
        heard = []
        for reception in transmission.receptions:
            station = reception.station
            station.incoming.remove(reception)
            if reception.fate == RECEIVED:
                if not station.alive:
                    reception.fate = OFF
                elif station.modulation is not modulation:
                    reception.fate = OTHER_PRESET
                else:
                    tenths = int((reception.power_dbm - station.noise_dbm) * 10.0)
                    error = frame_error_tenths(
                        tenths, modulation.spreading_factor, length, modulation.coding_rate_denominator
                    )
                    if error > 0.0 and reception.chance < error * 4_294_967_296.0:
                        reception.fate = WEAK
                    else:
                        heard.append((station, reception))
            fates[reception.fate] += 1
        for listener in self.on_end:
            listener(transmission)
        if sender.transmitting is transmission:
            sender.transmitting = None
            if sender.owner is not None:
                sender.owner.transmitted()
        for station, reception in heard:
            if station.owner is not None and station.alive:
                # The chip reports whole dBm and quarters of a dB (SX1261/2 data sheet, GetPacketStatus).
                snr_db = min(SNR_REPORTED_MAX_DB, round((reception.power_dbm - station.noise_dbm) * 4.0) / 4.0)
                station.owner.receive(transmission.frame, round(reception.power_dbm), snr_db)


def _overlap(new: Reception, others: list[Reception], now_us: int) -> None:
    """A frame begins at a receiver where others are in progress: who destroys whom."""
    receiver = new.station
    modulation = new.transmission.modulation
    for other in others:
        gain_db = new.power_dbm - other.power_dbm
        if other.transmission.modulation is not modulation:
            new_needs_db = OTHER_SPREADING_FACTOR_DB.get(modulation.spreading_factor, -8.0)
            other_needs_db = OTHER_SPREADING_FACTOR_DB.get(other.transmission.modulation.spreading_factor, -8.0)
            if gain_db < new_needs_db and new.fate == RECEIVED:
                new.fate = COLLISION
            if -gain_db < other_needs_db and other.fate == RECEIVED:
                other.fate = COLLISION
            continue
        held = other.holds and now_us - other.transmission.start_us >= receiver.lock_us
        if held:
            if new.fate == RECEIVED:
                new.fate = HELD
            new.holds = False
        elif gain_db < CAPTURE_DB and other.transmission.end_us > now_us + receiver.grace_us:
            if new.fate == RECEIVED:
                new.fate = COLLISION
            new.holds = False
        if gain_db > -CAPTURE_DB:
            if other.fate == RECEIVED:
                other.fate = COLLISION
            if not held:
                other.holds = False
