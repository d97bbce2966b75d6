# SPDX-License-Identifier: Apache-2.0
"""A proposal of positions as a page, and as the `[boxes]` part of a scenario file."""

from html import escape

from kiezbox_simulator.scenario import drawing, map_drawing
from kiezbox_simulator.scenario.place import Proposal
from kiezbox_simulator.scenario.report import figure, page
from kiezbox_simulator.world.link import Site


def as_toml(proposal: Proposal) -> str:
    """Text that can be pasted into a scenario."""
    lines = ["[boxes]", 'kind = "vm"']
    for section, places in (("boxes", proposal.boxes), ("gateways", (proposal.area.gateway,))):
        for place in places:
            name = place.name.replace("\\", "").replace('"', "")
            lines += ["", f"[[{section}.at]]", f'name = "{name}"', f"x_m = {place.x_m:g}", f"y_m = {place.y_m:g}",
                      f"height_m = {place.height_m:g}"]  # fmt: skip
    return "\n".join(lines) + "\n"


def verdict(proposal: Proposal) -> str:
    """One sentence on coverage and one on the weakest box."""
    covered = f"{len(proposal.boxes)} boxes bring {100 * proposal.coverage[-1]:.0f} % of {proposal.area.name} within "
    covered += f"{proposal.area.walk_m:g} m of a box."
    if proposal.weakest is None:
        return covered + " No single box cuts another off when it fails."
    lost = proposal.lost_without[proposal.weakest]
    others = "another box loses" if lost == 1 else f"{lost} other boxes lose"
    return (
        covered
        + f" The network can least afford to lose {proposal.weakest}: {others} the way to the gateway without it."
    )


def render(proposal: Proposal) -> str:
    """The page."""
    area = proposal.area
    places = (area.gateway, *proposal.boxes)
    index = {place.name: number for number, place in enumerate(places)}
    sites = {
        number: (Site(place.name, place.x_m, place.y_m, place.height_m), "gateway" if number == 0 else "core")
        for number, place in enumerate(places)
    }
    uses = {}
    for first, second, margin_db in proposal.links:
        uses[index[first], index[second]] = uses[index[second], index[first]] = round(margin_db)
    hops = map_drawing.hops_to([0], list(uses))
    notes = {
        index[place.name]: f"number {rank}, {proposal.lost_without[place.name]} boxes hang on it"
        for rank, place in enumerate(proposal.boxes, 1)
    }
    drawn = map_drawing.draw("Proposed positions", sites, uses, hops, notes)
    rows = [
        (f"{rank}. {place.name}", 100 * share, f"{100 * share:.0f} %", "ok")
        for rank, (place, share) in enumerate(zip(proposal.boxes, proposal.coverage, strict=True), 1)
    ]
    chart = drawing.row_bars("Ground within walking distance, box by box", rows, 100.0)
    lost = sorted(proposal.lost_without.items(), key=lambda item: (-item[1], item[0]))
    hang = "".join(f"<li>{escape(name)}: {count}</li>" for name, count in lost if count) or "<li>none</li>"
    figures = figure(f"{100 * proposal.coverage[-1]:.0f} %", f"of the ground within {area.walk_m:g} m of a box")
    figures += figure(str(max(hops.values())), "hops from the farthest box to the gateway")
    body = (
        f"<header><h1>{len(proposal.boxes)} boxes for {escape(area.name)}</h1></header>"
        f"<p class=verdict>{escape(verdict(proposal))}</p><div class=figures>{figures}</div><section>"
        f"<h2>Where</h2>{drawn}"
        f"<p class=legend>Lines: links with at least {area.margin_db:g} dB to spare, for roofs differ from the "
        "model.</p></section>"
        f"<section><h2>What each further box adds</h2>{chart}</section>"
        f"<section><h2>Boxes that others hang on</h2><ul>{hang}</ul></section>"
        f"<section><h2>For a scenario file</h2><pre>{escape(as_toml(proposal))}</pre></section>"
    )
    return page(f"{len(proposal.boxes)} boxes for {area.name}", body)
