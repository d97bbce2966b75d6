# SPDX-License-Identifier: Apache-2.0
"""Every frame of a run as the ether saw it: into the trace, before the referee, and added up for the report.

Not here: what a frame means for a call (simulation.py), what is allowed (referee.py). Called by simulation.py.
"""

from hashlib import sha256

from kiezbox_simulator.scenario.referee import Referee
from kiezbox_simulator.virtual.station import REASONS, Transmission
from kiezbox_simulator.virtual.trace import Trace


class AirLog:
    """`airtime_by_kind_us`: by port number, message kind and own or relayed. `link_uses`: frames received, by index of
    sender and receiver."""

    def __init__(self, trace: Trace, referee: Referee) -> None:
        self.airtime_by_kind_us: dict[str, int] = {}
        self.link_uses: dict[tuple[int, int], int] = {}
        self._trace = trace
        self._referee = referee

    def started(self, transmission: Transmission) -> None:
        """A station begins to send."""
        understood = self._referee.understand(transmission.frame)
        self._referee.started(transmission, understood)
        kind = "other"
        if understood is not None:
            # The owner of a frame is who sends it with the hops it began with.
            role = "own" if understood.from_node == transmission.sender.node_num else "relayed"
            kind = f"{understood.portnum}/{understood.kind}/{role}"
        self.airtime_by_kind_us[kind] = (
            self.airtime_by_kind_us.get(kind, 0) + transmission.end_us - transmission.start_us
        )

    def ended(self, transmission: Transmission) -> None:
        """The frame is over; its fate at each receiver is known."""
        self._referee.ended(transmission)
        sender = transmission.sender.index
        heard, lost = [], []
        for reception in transmission.receptions:
            receiver = reception.station.index
            if not reception.fate:
                heard.append(str(receiver))
                self.link_uses[sender, receiver] = self.link_uses.get((sender, receiver), 0) + 1
            elif reception.station.alive:
                lost.append(f"{receiver}:{REASONS[reception.fate]}")
        digest = sha256(transmission.frame).hexdigest()[:16]
        self._trace.add(
            "frame",
            transmission.sender.name,
            f"{digest} {len(transmission.frame)} to {','.join(heard)} not {','.join(lost)}",
        )
