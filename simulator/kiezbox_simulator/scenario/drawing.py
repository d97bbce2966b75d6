# SPDX-License-Identifier: Apache-2.0
"""Small SVG drawings for the report: map, bars, lines. Strings in, strings out; no library, no script, no external
resource.

Colours come from the page's CSS variables, so that a drawing follows light and dark. Every drawing has a title for
screen readers.
"""

from collections.abc import Sequence
from html import escape

WIDTH = 860


def svg(width: float, height: float, title: str, body: str) -> str:
    """A drawing that scales with its column."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", cls: str = "t", title: str = "") -> str:
    """Words at a place."""
    inside = f"<title>{escape(title)}</title>" if title else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{cls}">{inside}{escape(words)}</text>'


def nice_ceiling(value: float) -> float:
    """The next of 1, 2, 2.5, 5, 10 ... that is not smaller; at least 1e-9."""
    step = 1e-9
    while True:
        for factor in (1.0, 2.0, 2.5, 5.0):
            if step * factor >= value:
                return step * factor
        step *= 10.0


def _axis(top: float, left: float, right: float, base: float, greatest: float, unit: str) -> str:
    parts = []
    for quarter in range(5):
        y = base - (base - top) * quarter / 4
        value = greatest * quarter / 4
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(text(left - 6, y + 4, f"{value:g}{unit}", anchor="end", cls="s"))
    return "".join(parts)


def hour_ticks(left: float, right: float, base: float, hours: float, start_hour: float) -> str:
    """Hours of the day along the bottom: days as soon as there are more than two."""
    parts = []
    step = 1 if hours <= 8 else 3 if hours <= 26 else 6 if hours <= 50 else 24 if hours <= 400 else 168
    hour = -(start_hour % step) + step if start_hour % step else 0.0
    while hour <= hours:
        x = left + (right - left) * hour / hours
        clock = (start_hour + hour) % 24
        day = int((start_hour + hour) // 24) + 1
        label = f"day {day}" if step >= 24 else f"{clock:02.0f}:00"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 4}" class="axis"/>')
        parts.append(text(x, base + 17, label, anchor="middle", cls="s"))
        hour += step
    return "".join(parts)


def stacked_bars(
    title: str,
    rows: Sequence[tuple[float, Sequence[float]]],
    classes: Sequence[str],
    hours: float,
    start_hour: float,
    unit: str = "",
) -> str:
    """Bars of one hour each; `rows` are (hour, parts), drawn from the bottom up in `classes`."""
    left, right, top, base = 46.0, WIDTH - 8.0, 10.0, 190.0
    greatest = nice_ceiling(max((sum(parts) for _, parts in rows), default=1.0))
    body = _axis(top, left, right, base, greatest, unit) + hour_ticks(left, right, base, hours, start_hour)
    width = max(1.0, (right - left) / max(hours, 1.0) * 0.8)
    for hour, parts in rows:
        x = left + (right - left) * hour / max(hours, 1.0)
        y = base
        for value, cls in zip(parts, classes, strict=True):
            height = (base - top) * value / greatest
            y -= height
            if value:
                tip = f"hour {hour:g}: {value:g}"
                size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
                body += f'<rect {size} class="{cls}"><title>{tip}</title></rect>'
    return svg(WIDTH, base + 26, title, body)


def lines(
    title: str,
    series: Sequence[tuple[str, str, Sequence[tuple[float, float]]]],
    hours: float,
    start_hour: float,
    greatest: float,
    unit: str,
) -> str:
    """Lines over hours; `series` are (name, class, points)."""
    left, right, top, base = 46.0, WIDTH - 8.0, 10.0, 190.0
    body = _axis(top, left, right, base, greatest, unit) + hour_ticks(left, right, base, hours, start_hour)
    for name, cls, points in series:
        path = " ".join(
            f"{left + (right - left) * hour / hours:.1f},{base - (base - top) * min(value, greatest) / greatest:.1f}"
            for hour, value in points
        )
        body += f'<polyline points="{path}" class="{cls}"><title>{escape(name)}</title></polyline>'
    return svg(WIDTH, base + 26, title, body)


def band(
    title: str,
    points: Sequence[tuple[float, float, float, float]],
    hours: float,
    start_hour: float,
    greatest: float,
    unit: str,
) -> str:
    """A band from least to greatest with the mean as a line; `points` are (hour, least, mean, greatest)."""
    left, right, top, base = 46.0, WIDTH - 8.0, 10.0, 190.0

    def place(hour: float, value: float) -> str:
        return f"{left + (right - left) * hour / hours:.1f},{base - (base - top) * min(value, greatest) / greatest:.1f}"

    body = _axis(top, left, right, base, greatest, unit) + hour_ticks(left, right, base, hours, start_hour)
    outline = [place(hour, low) for hour, low, _, _ in points] + [
        place(hour, high) for hour, _, _, high in reversed(points)
    ]
    body += f'<polygon points="{" ".join(outline)}" class="band"/>'
    body += f'<polyline points="{" ".join(place(hour, mean) for hour, _, mean, _ in points)}" class="line"/>'
    return svg(WIDTH, base + 26, title, body)


def row_bars(
    title: str, rows: Sequence[tuple[str, float, str, str]], greatest: float, limit: float | None = None
) -> str:
    """One horizontal bar a row: (name, value, label, class); `limit` draws a mark."""
    left, right, pitch = 190.0, WIDTH - 90.0, 19.0
    height = pitch * len(rows) + 8
    body = ""
    for number, (name, value, label, cls) in enumerate(rows):
        y = 4 + pitch * number
        body += text(left - 8, y + 13, name, anchor="end", cls="s")
        body += f'<rect x="{left}" y="{y + 3}" width="{right - left:.1f}" height="12" class="empty"/>'
        width = (right - left) * min(1.0, value / greatest)
        body += f'<rect x="{left}" y="{y + 3}" width="{max(0.5, width):.1f}" height="12" class="{cls}"/>'
        body += text(right + 8, y + 13, label, cls="s")
    if limit is not None:
        x = left + (right - left) * limit / greatest
        body += f'<line x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{height - 2}" class="limit"/>'
    return svg(WIDTH, height, title, body)
