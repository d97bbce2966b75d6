# SPDX-License-Identifier: Apache-2.0
"""A running scenario in the browser: the same report as at the end, drawn anew from the run as it stands.

The run goes on in the main thread; the server only hands out finished pages. On loopback only. The page fetches its own
new content, so that what the reader opened or scrolled to stays; without script it reloads itself. `speed` paces the
run (simulated seconds per second), 0 lets it go as fast as it can: drawing then takes a tenth of the time at most.
"""

import threading
import time
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kiezbox_simulator.scenario import report
from kiezbox_simulator.scenario.page import page
from kiezbox_simulator.scenario.simulation import CHUNKS, Simulation
from kiezbox_simulator.scenario.summary import summarise
from kiezbox_simulator.scenario.words import Words

REFRESH_S = 1.0
DRAWING_SHARE = 0.1
"""Of the wall time, for drawing."""

SCRIPT = """<script>
setInterval(async () => {
  const answer = await fetch("/").catch(() => null);
  if (!answer) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const open = [...document.querySelectorAll("details")].map((one) => one.open);
  fresh.querySelectorAll("details").forEach((one, index) => { one.open = open[index] || false; });
  document.querySelector("main").replaceWith(fresh);
}, 1000);
</script>"""


class LiveView:
    """`watch(simulation)` is what Simulation.run calls on its way; `url` is where a browser looks. Raises OSError when
    the port is taken."""

    def __init__(self, speed: float = 0.0, port: int = 0, language: str = "en") -> None:
        self._words = Words(language)
        self._speed = speed
        self._chunk = 0
        self._began_s: float | None = None
        self._draw_at_s = 0.0
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(lambda: self._page))
        self._page = self._with_refresh(page(self._words, "…", f"<h1>{self._words('watch_starting')}</h1>"))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where to look."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def watch(self, simulation: Simulation) -> None:
        """Draw if it is time, and hold the run back to its pace."""
        self._chunk += 1
        if self._speed > 0:
            paced_s = simulation.schedule.now_us / 1e6 / self._speed
            if self._began_s is None:
                # Building the town and its boxes is not part of the run.
                self._began_s = time.monotonic() - paced_s
            time.sleep(max(0.0, self._began_s + paced_s - time.monotonic()))
        now_s = time.monotonic()
        if now_s >= self._draw_at_s or self._chunk == CHUNKS:
            self.draw(simulation, self._chunk < CHUNKS)
            took_s = time.monotonic() - now_s
            self._draw_at_s = now_s + max(REFRESH_S, took_s / DRAWING_SHARE)

    def draw(self, simulation: Simulation, running: bool) -> None:
        """Make the page anew."""
        words = self._words
        rendered = report.render(simulation, summarise(simulation), words.language)
        state = words("watch_running" if running else "watch_finished")
        hour = words.number(simulation.schedule.now_us / 3.6e9, 1)
        text = words("watch_state", hour=hour, hours=words.short(simulation.scenario.duration_h), state=state)
        done = simulation.schedule.now_us / max(1, simulation.end_us)
        bar = f'<p class="facts" role="status">{escape(text)}</p><progress max="1" value="{done:.4f}"></progress>'
        rendered = rendered.replace("<main>", f"<main>{bar}", 1)
        self._page = self._with_refresh(rendered) if running else rendered

    @staticmethod
    def _with_refresh(rendered: str) -> str:
        reload = f'<noscript><meta http-equiv="refresh" content="{REFRESH_S:g}"></noscript>'
        return rendered.replace("</head>", f"{reload}{SCRIPT}</head>", 1)

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
