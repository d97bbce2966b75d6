# SPDX-License-Identifier: Apache-2.0
"""A light MQTT publisher and a counting subscriber for the measurements, so that the load costs little of the machine.

Both are the gateway's own state machine on a plain socket. The subscriber runs as its own process: python -m
bench.mqtt_load PORT TOPIC COUNT prints `ready`, then `FIRST LAST` (monotonic seconds) once COUNT have arrived.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from kiezbox_gateway.city import mqtt

MOSQUITTO = "/usr/sbin/mosquitto"
SAVE_PER_CHANGE = ("autosave_interval 1", "autosave_on_changes true")


def free_port() -> int:
    """A port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker in a folder; `start` again with other settings keeps its data."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *settings: str) -> None:
        """Start and wait for the port."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            f"persistence_location {self._folder}/",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "set_tcp_nodelay true",
            "user root",
            *settings,
        ]
        path = self._folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(path)], stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    def stop(self, *, kill: bool = False) -> None:
        """SIGTERM (the broker saves) or SIGKILL."""
        if self.process is not None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait(60)
            self.process = None


def wait_for_port(port: int) -> None:
    """Until something listens."""
    deadline_s = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)


class Client:
    """A blocking MQTT connection."""

    def __init__(self, port: int, identifier: str, *, clean: bool = True) -> None:
        self.session = mqtt.MqttSession(identifier, 4, 60, clean=clean)
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.session.connect()
        self.flush()
        while not self.session.connected:
            self.receive()

    def flush(self) -> None:
        """Send what is queued."""
        self._socket.sendall(self.session.take_output())

    def receive(self) -> list[mqtt.Event]:
        """Wait for events. Raises ConnectionError at the end of the connection."""
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("closed")
        return self.session.receive(data)

    def publish_all(self, topic: str, payloads: Iterable[bytes], window: int) -> int:
        """Publish with so many unconfirmed; returns how many were confirmed, also when the broker dies meanwhile."""
        confirmed = in_flight = 0
        source = iter(payloads)
        done = False
        try:
            while not done or in_flight:
                while not done and in_flight < window:
                    payload = next(source, None)
                    if payload is None:
                        done = True
                        break
                    self.session.publish(topic, payload)
                    in_flight += 1
                self.flush()
                if in_flight:
                    got = sum(isinstance(event, mqtt.Confirmed) for event in self.receive())
                    confirmed += got
                    in_flight -= got
        except OSError:
            return confirmed
        return confirmed

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Counter:
    """The counting subscriber as a process."""

    def __init__(self, port: int, topic: str, count: int) -> None:
        command = [sys.executable, "-m", "bench.mqtt_load", str(port), topic, str(count)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        assert self._output.readline() == "ready\n"

    def rate(self) -> float:
        """Messages a second between the first and the last."""
        first, last, count = (float(each) for each in self._output.readline().split())
        self._process.wait(10)
        return (count - 1) / (last - first)


def _count(port: int, topic: str, wanted: int) -> None:
    client = Client(port, f"counter-{port}")
    client.session.subscribe([topic])
    client.flush()
    while not any(isinstance(event, mqtt.Subscribed) for event in client.receive()):
        pass
    print("ready", flush=True)
    first_s = last_s = 0.0
    seen = 0
    while seen < wanted:
        events = client.receive()
        delivered = [event for event in events if isinstance(event, mqtt.Delivered)]
        if delivered:
            last_s = time.monotonic()
            first_s = first_s or last_s
            seen += len(delivered)
            for event in delivered:
                client.session.acknowledge(event.packet_id)
            client.flush()
    print(first_s, last_s, seen, flush=True)


if __name__ == "__main__":
    _count(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
