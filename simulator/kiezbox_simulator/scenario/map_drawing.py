# SPDX-License-Identifier: Apache-2.0
"""The map of a run: boxes by their distance from a gateway in hops, and the links that carried frames, the thicker
the more."""

from collections import deque
from collections.abc import Iterable, Mapping
from html import escape

from kiezbox_simulator.scenario.drawing import WIDTH, svg, text
from kiezbox_simulator.world.link import Site

LINKS_MAX = 600
"""Links drawn, the busiest first."""


def hops_to(targets: Iterable[int], links: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Fewest hops to any target over directed links (from, to), by station index; targets are 0."""
    towards: dict[int, list[int]] = {}
    for sender, receiver in links:
        towards.setdefault(receiver, []).append(sender)
    found = dict.fromkeys(targets, 0)
    queue = deque(found)
    while queue:
        here = queue.popleft()
        for sender in towards.get(here, ()):
            if sender not in found:
                found[sender] = found[here] + 1
                queue.append(sender)
    return found


def used_links(uses: Mapping[tuple[int, int], int], least: int) -> list[tuple[int, int]]:
    """Links that carried at least so many frames."""
    return [link for link, count in uses.items() if count >= least]


def draw(
    title: str,
    sites: Mapping[int, tuple[Site, str]],
    uses: Mapping[tuple[int, int], int],
    hops: Mapping[int, int],
    notes: Mapping[int, str],
) -> str:
    """`sites`: station index -> (site, kind); `notes`: what the tooltip says of a station; uses are frames by
    directed link."""
    margin = 34.0
    xs = [site.x_m for site, _ in sites.values()]
    ys = [site.y_m for site, _ in sites.values()]
    span_x, span_y = max(max(xs) - min(xs), 1.0), max(max(ys) - min(ys), 1.0)
    scale = min((WIDTH - 2 * margin) / span_x, 560.0 / span_y)
    height = span_y * scale + 2 * margin
    left = (WIDTH - span_x * scale) / 2

    def place(site: Site) -> tuple[float, float]:
        return left + (site.x_m - min(xs)) * scale, height - margin - (site.y_m - min(ys)) * scale

    both: dict[tuple[int, int], int] = {}
    for (sender, receiver), count in uses.items():
        if sender in sites and receiver in sites:
            pair = (min(sender, receiver), max(sender, receiver))
            both[pair] = both.get(pair, 0) + count
    busiest = sorted(both.items(), key=lambda item: (-item[1], item[0]))[:LINKS_MAX]
    most = busiest[0][1] if busiest else 1
    body = ""
    for (first, second), count in reversed(busiest):
        (x1, y1), (x2, y2) = place(sites[first][0]), place(sites[second][0])
        width, opacity = 0.4 + 3.0 * count / most, 0.15 + 0.6 * count / most
        body += (
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="link" stroke-width="{width:.2f}"'
            f' stroke-opacity="{opacity:.2f}"/>'
        )
    few = len(sites) <= 45
    for index, (site, kind) in sorted(sites.items()):
        x, y = place(site)
        tip = escape(f"{site.key}: {notes.get(index, '')}")
        if kind == "gateway":
            corner = f'x="{x - 9:.1f}" y="{y - 9:.1f}"'
            shape = f'<rect {corner} width="18" height="18" class="gateway"><title>{tip}</title></rect>'
        elif kind in ("stranger", "attacker"):
            shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="{kind}"><title>{tip}</title></circle>'
        else:
            cls = f"hop{min(hops[index], 6)}" if index in hops else "nohop"
            shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" class="{cls}"><title>{tip}</title></circle>'
            shape += text(x, y + 3.5, str(hops.get(index, "–")), anchor="middle", cls="n")
        body += shape
        if few and kind not in ("stranger", "attacker"):
            body += text(x, y + 21, site.key, anchor="middle", cls="s")
    # A ruler of a round length.
    metres = next(length for length in (100, 200, 250, 500, 1000, 2000, 5000, 10_000, 50_000) if length * scale > 60)
    body += f'<line x1="12" x2="{12 + metres * scale:.1f}" y1="{height - 8:.1f}" y2="{height - 8:.1f}" class="axis"/>'
    body += text(12, height - 13, f"{metres} m", cls="s")
    return svg(WIDTH, height, title, body)
