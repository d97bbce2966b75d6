# SPDX-License-Identifier: Apache-2.0
"""/metrics for Prometheus, /healthz (the process answers), /readyz (radio and store work). No personal data.

The city being away is no fault of this gateway: it is shown in the metrics and does not make it unready.
"""

import time
from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from kiezbox_gateway import alarms, box_faults
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.store.rows import OutboxClass
from kiezbox_gateway.web.request import Route


class _Snapshot(Collector):
    """Metrics as they are at one scrape."""

    def __init__(
        self,
        gateway: Gateway,
        waiting: dict[OutboxClass, int],
        tallies: dict[str, int],
        raised: set[str],
        unsent: int,
    ) -> None:
        self._gateway = gateway
        self._raised = raised
        self._waiting = waiting
        self._tallies = tallies
        self._unsent = unsent

    def collect(self) -> Iterator[Metric]:
        gateway = self._gateway
        link, city, custody = gateway.link.status, gateway.city.status, gateway.custody.status
        yield _gauge("radio_ready", "1 while the radio link is up", link.state == "ready")
        yield _gauge("radio_contended", "1 while another program uses the radio", link.contended)
        yield _gauge("radio_queue_length", "Packets waiting for the radio", len(gateway.link.queue))
        yield _counters("radio_events", "Events of the radio link", "event", link.counters)
        yield _counters("radio_dropped", "Packets dropped before the radio", "reason", gateway.link.queue.dropped)
        yield _counters("stored", "Messages taken into custody", "kind", custody.stored)
        yield _counters("duplicates", "Repeats recognised", "kind", {"all": custody.duplicates})
        yield _counters("rejected", "Payloads refused", "reason", custody.rejected)
        yield _counters("shed", "Messages not taken for want of room", "kind", custody.shed)
        yield _counters("tally", "Thinned and counted over restarts", "reason", self._tallies)
        yield _gauge("store_alarm", "1 while the store cannot write", custody.alarm is not None)
        yield _gauge("disk_free_bytes", "Free space", gateway.disk.free_bytes)
        yield _gauge("disk_low", "1 while readings are refused for want of space", gateway.disk.low)
        yield _gauge("city_connected", "1 while the broker is connected", city.connected)
        yield _counters("city_confirmed", "Messages the city has confirmed", "kind", {"all": city.confirmed})
        yield _counters("city_refused", "Messages the city has refused", "kind", {"all": city.refused})
        if gateway.uplink is not None:
            yield _gauge(
                "uplink_connected", "1 while the broker for boxes on Wi-Fi is there", gateway.uplink.status.connected
            )
        yield _counters("city_set_aside", "Messages not taken by the city, to be tried again", "reason", city.set_aside)
        waiting = GaugeMetricFamily("kiezbox_city_waiting", "Messages waiting for the city", labels=["class"])
        for each in OutboxClass:
            waiting.add_metric([each.name.lower()], self._waiting.get(each, 0))
        yield waiting
        yield _gauge("boxes_unsent", "Messages that boxes could not send since they started", self._unsent)
        yield _counters("faults", "Parts that failed and were begun anew", "part", gateway.faults)
        raised = GaugeMetricFamily("kiezbox_alarm", "1 while the alarm of this name is raised", labels=["name"])
        for name in alarms.KINDS:
            raised.add_metric([name], float(name in self._raised))
        yield raised
        yield _gauge("uptime_seconds", "Seconds since the start", time.time() - gateway.started_s)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"kiezbox_{name}", text, value=float(value))


def _counters(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"kiezbox_{name}", text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


async def metrics(gateway: Gateway, request: web.Request) -> web.Response:
    """Prometheus text format."""
    rows = await gateway.store.rows("SELECT reason, count FROM tally")
    registry = CollectorRegistry(auto_describe=False)
    raised = {alarm.name for alarm in await alarms.look(gateway)}
    tallies = {row[0]: row[1] for row in rows}
    unsent = sum((await box_faults.unsent(gateway)).values())
    registry.register(_Snapshot(gateway, await gateway.waiting_counts(), tallies, raised, unsent))
    return web.Response(body=generate_latest(registry), content_type="text/plain", charset="utf-8")


async def healthz(gateway: Gateway, request: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "ok"})


async def readyz(gateway: Gateway, request: web.Request) -> web.Response:
    """200 while messages can be taken into custody, 503 with the reasons while not."""
    reasons = []
    if gateway.link.status.state != "ready":
        reasons.append("radio")
    if gateway.custody.status.alarm is not None:
        reasons.append("store")
    return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)


ROUTES = (
    Route("GET", "/metrics", None, metrics),
    Route("GET", "/healthz", None, healthz),
    Route("GET", "/readyz", None, readyz),
)
