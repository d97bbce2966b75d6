# SPDX-License-Identifier: Apache-2.0
"""A gateway's list of jobs stays bounded; too large for a board's heap, so it runs here only."""

from kiezbox.protocol import downlink
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint

NODE = 0x4B420001


def test_finished_jobs_are_forgotten_open_ones_never() -> None:
    endpoint = GatewayEndpoint(b"gateway")
    endpoint.add_box(NODE, bytes(32))
    first = endpoint.reply(NODE, {"code": "A"}, 0)
    for _ in range(downlink.JOBS_MAX + 20):
        endpoint.cancel_job(endpoint.reply(NODE, {"code": "B"}, 0))
    assert len(endpoint.jobs) <= downlink.JOBS_MAX + 1
    assert first in endpoint.jobs
