# SPDX-License-Identifier: Apache-2.0
"""The ether: who hears which frame, in virtual time. The physics is in `world/reception.py` and `world/link.py`.

1. A radio asks to send. It listens for one channel activity detection (2.5 symbols); what has been on the air for that
   whole time and is strong enough counts as activity, and then nothing is sent.
2. A sending radio hears nothing. What it was receiving is lost, what begins while it sends is lost. So is what begins
   while a radio is off.
3. Each frame reaches each neighbour at the link's mean power plus a fading draw of that frame and that receiver.
4. Two overlapping frames at a receiver: `world/reception.py` under capture. Spreading factors disturb each other only
   far above. Several disturbers are judged one by one, their powers are not added.
5. A frame that nothing destroyed is lost with the frame error probability of its SNR.

Every loss has a reason, counted per reason. Hot path: everything that depends on a pair of stations is computed once,
in `connect`; a draw is made only where it can decide something.
"""

from collections.abc import Callable

from kiezbox_simulator.virtual.modulation import Modulation
from kiezbox_simulator.virtual.schedule import Schedule
from kiezbox_simulator.virtual.station import (
    COLLISION,
    HALF_DUPLEX,
    HELD,
    OFF,
    OTHER_PRESET,
    REASONS,
    RECEIVED,
    WEAK,
    Reception,
    Station,
    Transmission,
)
from kiezbox_simulator.world.chance import GOLDEN, MASK_64, NORMAL_1024, mix
from kiezbox_simulator.world.link import Channel, Site, mean_received_dbm, noise_dbm
from kiezbox_simulator.world.reception import CAPTURE_DB, frame_error_tenths

OTHER_SPREADING_FACTOR_DB = {7: -8.0, 8: -11.0, 9: -13.0, 10: -17.0, 11: -20.0, 12: -23.0}
"""How far below another spreading factor's frame a frame still stands (Croce et al.: Impact of LoRa Imperfect
Orthogonality, IEEE Communications Letters 22(4), 2018, table II, least of each row)."""

SNR_REPORTED_MAX_DB = 12.0
"""A strong signal lifts the SNR that a receiver reports no further, because its own gain control adds noise; seen in
the field."""

CAD_MARGIN_DB = 3.0
"""Channel activity is detected a little below what can be demodulated (as Meshtasticator assumes)."""


def heard_margin_db(fading_db: float) -> float:
    """Links whose mean lies further below the demodulator's limit are left out. No draw of fading (3.3 deviations at
    most) lifts such a frame to within 1 dB of the limit, and without fading it is too weak to disturb one that is."""
    return max(CAPTURE_DB, NORMAL_1024[-1] * fading_db) + 1.0


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
        self._modulations: dict[Modulation, Modulation] = {}

    def add(self, node_num: int, site: Site, modulation: Modulation, power_dbm: float) -> Station:
        """A new station; call `connect` when all are there."""
        # Equal settings become one object, so that the hot path can compare by identity.
        modulation = self._modulations.setdefault(modulation, modulation)
        noise = noise_dbm(self.channel, modulation.bandwidth_hz)
        station = Station(len(self.stations), node_num, site, modulation, noise, power_dbm, self.channel.seed)
        self.stations.append(station)
        return station

    def connect(self) -> None:
        """Work out every link once. Quadratic in stations, and the only thing here that is."""
        margin_db = heard_margin_db(self.channel.fading_db)
        self.links = [[] for _ in self.stations]
        for first in self.stations:
            for second in self.stations[first.index + 1 :]:
                gain_db = mean_received_dbm(self.channel, 0.0, first.site, second.site)
                for sender, receiver in ((first, second), (second, first)):
                    power_dbm = gain_db + sender.power_dbm
                    if power_dbm >= receiver.limit_dbm - margin_db:
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
        least_dbm = station.limit_dbm - CAD_MARGIN_DB
        modulation = station.modulation
        for reception in station.incoming:
            transmission = reception.transmission
            if (
                transmission.start_us <= since_us
                and reception.power_dbm >= least_dbm
                and transmission.modulation is modulation
            ):
                return True
        return False

    def busy_until_us(self, station: Station) -> int:
        """Until when what is on the air now keeps this station's channel busy for certain; 0 if nothing does."""
        least_dbm = station.limit_dbm - CAD_MARGIN_DB
        modulation = station.modulation
        until_us = 0
        for reception in station.incoming:
            transmission = reception.transmission
            if (
                reception.power_dbm >= least_dbm
                and transmission.end_us > until_us
                and transmission.modulation is modulation
            ):
                until_us = transmission.end_us
        return until_us

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
        station.sent += 1
        station.airtime_us += end_us - now_us
        salt = station.salt + station.sent * GOLDEN & MASK_64
        transmission = Transmission(station, frame, now_us, end_us, salt)
        station.transmitting = transmission
        for reception in station.incoming:
            reception.holds = False
            if reception.fate == RECEIVED:
                reception.fate = HALF_DUPLEX
        fading_db = self.channel.fading_db
        receptions = transmission.receptions
        for receiver, power_dbm in self.links[station.index]:
            if fading_db:
                power_dbm += fading_db * NORMAL_1024[mix(salt ^ receiver.salt) & 1023]
            reception = Reception(receiver, transmission, power_dbm)
            if receiver.transmitting is not None:
                reception.fate = HALF_DUPLEX
                reception.holds = False
            elif not receiver.alive:
                reception.fate = OFF
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
        clear_snr_db = modulation.clear_snr_db
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
                    snr_db = reception.power_dbm - station.noise_dbm
                    if snr_db < clear_snr_db and _lost_in_noise(reception, snr_db):
                        reception.fate = WEAK
                    else:
                        heard.append((station, snr_db, reception.power_dbm))
            fates[reception.fate] += 1
        for listener in self.on_end:
            listener(transmission)
        if sender.transmitting is transmission:
            sender.transmitting = None
            if sender.owner is not None:
                sender.owner.transmitted()
        for station, snr_db, power_dbm in heard:
            if station.owner is not None and station.alive:
                # The chip reports whole dBm and quarters of a dB (SX1261/2 data sheet, GetPacketStatus).
                reported_db = min(SNR_REPORTED_MAX_DB, round(snr_db * 4.0) / 4.0)
                station.owner.receive(transmission.frame, round(power_dbm), reported_db)


def _lost_in_noise(reception: Reception, snr_db: float) -> bool:
    """Whether this frame has an error that nothing but noise made."""
    transmission = reception.transmission
    used = transmission.modulation
    error = frame_error_tenths(
        round(snr_db * 10.0), used.spreading_factor, len(transmission.frame), used.rows, used.coding_rate_denominator
    )
    # The low bits of the same draw decided the fading.
    draw = mix(transmission.salt ^ reception.station.salt) >> 32
    return draw < error * 4_294_967_296.0


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
