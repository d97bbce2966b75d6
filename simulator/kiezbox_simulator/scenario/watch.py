# SPDX-License-Identifier: Apache-2.0
"""A running scenario in the browser: the same report as at the end, drawn anew every second from the run as it stands.

The run goes on in a thread of its own; the server only hands out finished pages. On loopback only, no script from
elsewhere: the page reloads itself. `speed` paces the run (simulated seconds per second), 0 lets it go as fast as it
can.
"""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kiezbox_simulator.scenario import report
from kiezbox_simulator.scenario.simulation import CHUNKS, Simulation
from kiezbox_simulator.scenario.summary import summarise

REFRESH_S = 1.0


class LiveView:
    """`watch(simulation)` is what Simulation.run calls on its way; `url` is where a browser looks."""

    def __init__(self, speed: float = 0.0, port: int = 0) -> None:
        self._page = report.page("Starting", "<h1>Starting …</h1>")
        self._speed = speed
        self._chunk = 0
        self._began_s = time.monotonic()
        self._drawn_s = 0.0
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(lambda: self._page))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where to look."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def watch(self, simulation: Simulation) -> None:
        """Draw if it is time, and hold the run back to its pace."""
        self._chunk += 1
        if self._speed > 0:
            due_s = self._began_s + simulation.schedule.now_us / 1e6 / self._speed
            time.sleep(max(0.0, due_s - time.monotonic()))
        now_s = time.monotonic()
        if now_s - self._drawn_s >= REFRESH_S or self._chunk == CHUNKS:
            self._drawn_s = now_s
            self.draw(simulation, self._chunk < CHUNKS)

    def draw(self, simulation: Simulation, running: bool) -> None:
        """Make the page anew."""
        rendered = report.render(simulation, summarise(simulation))
        hours = simulation.schedule.now_us / 3.6e9
        state = "running" if running else "finished"
        bar = f"<p class=facts>Hour {hours:.1f} of {simulation.scenario.duration_h:g}, {state}</p>"
        rendered = rendered.replace("<main>", f"<main>{bar}", 1)
        if running:
            rendered = rendered.replace("<head>", f'<head><meta http-equiv="refresh" content="{REFRESH_S:g}">', 1)
        self._page = rendered

    def close(self) -> None:
        """No more pages."""
        self._server.shutdown()
        self._server.server_close()


def _handler(current: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = current().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Nobody wants a line for each reload."""

    return Handler
