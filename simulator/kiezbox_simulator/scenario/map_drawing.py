# SPDX-License-Identifier: Apache-2.0
"""A map of boxes: by their distance from a gateway in hops, with the ways over which they are reached in front and all
other links behind, the thicker the more they carried. Used by report.py and place_report.py."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from html import escape

from kiezbox_simulator.scenario.drawing import WIDTH, svg, text
from kiezbox_simulator.world.link import Site

LINKS_MAX = 300
"""Other links drawn, the busiest first."""

NAMES_MAX = 40
"""Up to so many places their names stand on the map."""

MARGIN = 40.0
HEIGHT_MAX = 560.0


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


def ways(hops: Mapping[int, int], uses: Mapping[tuple[int, int], int]) -> dict[int, int]:
    """For each station the one nearer to a gateway over which most of its frames went; by station index."""
    found: dict[int, tuple[int, int]] = {}
    for (sender, receiver), count in uses.items():
        nearer = sender in hops and receiver in hops and hops[receiver] == hops[sender] - 1
        if nearer and (count, -receiver) > found.get(sender, (0, 0)):
            found[sender] = (count, -receiver)
    return {sender: -receiver for sender, (_, receiver) in found.items()}


def draw(
    title: str,
    sites: Mapping[int, tuple[Site, str]],
    uses: Mapping[tuple[int, int], int],
    hops: Mapping[int, int],
    notes: Mapping[int, str],
    marked: Collection[int] = (),
    outline: Iterable[tuple[float, float]] = (),
    circle_m: float = 0.0,
) -> str:
    """`sites`: station index -> (site, kind); `notes`: what the tooltip says; uses are frames by directed link.
    `marked` stations get a ring; `outline` is the area's; `circle_m` the radius of ground drawn around each box."""
    corners = list(outline)
    xs = [site.x_m for site, _ in sites.values()] + [x for x, _ in corners]
    ys = [site.y_m for site, _ in sites.values()] + [y for _, y in corners]
    span_x, span_y = max(max(xs) - min(xs), 1.0), max(max(ys) - min(ys), 1.0)
    scale = min((WIDTH - 2 * MARGIN) / span_x, HEIGHT_MAX / span_y)
    height = span_y * scale + 2 * MARGIN
    left = (WIDTH - span_x * scale) / 2

    def place(x_m: float, y_m: float) -> tuple[float, float]:
        return left + (x_m - min(xs)) * scale, height - MARGIN - (y_m - min(ys)) * scale

    at = {index: place(site.x_m, site.y_m) for index, (site, _) in sites.items()}
    body = f'<rect x="0" y="0" width="{WIDTH}" height="{height:.0f}" class="ground"/>'
    if corners:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*corner) for corner in corners))
        body += f'<polygon points="{points}" class="outline"/>'
    if circle_m:
        body += "".join(
            f'<circle cx="{at[index][0]:.1f}" cy="{at[index][1]:.1f}" r="{circle_m * scale:.1f}" class="walk"/>'
            for index, (_, kind) in sorted(sites.items())
            if kind != "gateway"
        )
    body += _links(at, uses, ways(hops, uses))
    named = len(sites) <= NAMES_MAX
    for index, (site, kind) in sorted(sites.items()):
        body += _mark(*at[index], site.key, kind, hops.get(index), notes.get(index, ""), index in marked)
        if named and kind not in ("stranger", "attacker"):
            body += text(at[index][0], at[index][1] + 22, site.key, anchor="middle", cls="name")
    # A ruler of a round length.
    metres = next(length for length in (100, 200, 250, 500, 1000, 2000, 5000, 10_000, 50_000) if length * scale > 60)
    body += f'<line x1="12" x2="{12 + metres * scale:.1f}" y1="{height - 8:.1f}" y2="{height - 8:.1f}" class="ruler"/>'
    body += text(12, height - 13, f"{metres} m", cls="s")
    return svg(WIDTH, height, title, body)


def _links(at: Mapping[int, tuple[float, float]], uses: Mapping[tuple[int, int], int], way: Mapping[int, int]) -> str:
    both: dict[tuple[int, int], int] = {}
    for (sender, receiver), count in uses.items():
        if sender in at and receiver in at:
            pair = (min(sender, receiver), max(sender, receiver))
            both[pair] = both.get(pair, 0) + count
    busiest = sorted(both.items(), key=lambda item: (-item[1], item[0]))[:LINKS_MAX]
    most = busiest[0][1] if busiest else 1
    body = ""
    for (first, second), count in reversed(busiest):
        body += _line(at[first], at[second], "link", 0.3 + 1.2 * count / most)
    for sender, receiver in sorted(way.items()):
        body += _line(at[sender], at[receiver], "way", 2.2)
    return body


def _line(start: tuple[float, float], end: tuple[float, float], cls: str, width: float) -> str:
    (x1, y1), (x2, y2) = start, end
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} class="{cls}" stroke-width="{width:.2f}"/>'


def _mark(x: float, y: float, name: str, kind: str, hops: int | None, note: str, marked: bool) -> str:
    tip = f"<title>{escape(f'{name}: {note}')}</title>"
    if kind == "gateway":
        return f'<rect x="{x - 9:.1f}" y="{y - 9:.1f}" width="18" height="18" class="gateway">{tip}</rect>'
    if kind in ("stranger", "attacker"):
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="{kind}">{tip}</circle>'
    cls = "nohop" if hops is None else f"hop{min(hops, 6)}"
    ring = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="13" class="ring"/>' if marked else ""
    number = text(x, y + 3.5, "–" if hops is None else str(hops), anchor="middle", cls=f"n {cls}n")
    return f'{ring}<circle cx="{x:.1f}" cy="{y:.1f}" r="8.5" class="{cls}">{tip}</circle>{number}'
