# SPDX-License-Identifier: Apache-2.0
"""A proposal of positions as a page in English or German, and as the `[boxes]` part of a scenario file."""

from html import escape

from kiezbox_simulator.scenario import drawing, map_drawing
from kiezbox_simulator.scenario.page import drawing_with_table, figure, legend, page, section, table
from kiezbox_simulator.scenario.place import Proposal, hops_from
from kiezbox_simulator.scenario.words import Words
from kiezbox_simulator.world.link import Site

BARS_MAX = 60


def as_toml(proposal: Proposal) -> str:
    """Text that can be pasted into a scenario."""
    lines = ["[boxes]", 'kind = "vm"']
    for key, places in (("boxes", proposal.boxes), ("gateways", (proposal.area.gateway,))):
        for place in places:
            name = place.name.replace("\\", "").replace('"', "")
            lines += ["", f"[[{key}.at]]", f'name = "{name}"', f"x_m = {place.x_m:g}", f"y_m = {place.y_m:g}",
                      f"height_m = {place.height_m:g}"]  # fmt: skip
    return "\n".join(lines) + "\n"


def verdict(proposal: Proposal, language: str = "en") -> str:
    """How well the ground is covered, and which box the network can least afford to lose."""
    words = Words(language)
    area, name = proposal.area, proposal.weakest
    loss = proposal.losses[name]
    said = [
        words(
            "place_cover", count=len(proposal.boxes), share=words.percent(100 * proposal.coverage[-1], 0),
            area=area.name, walk=words.short(area.walk_m),
        )
    ]  # fmt: skip
    if loss.cut_off:
        said.append(words("place_weakest_cut" if loss.cut_off > 1 else "place_weakest_cut_one", name=name,
                          count=loss.cut_off))  # fmt: skip
    else:
        said.append(words("place_no_cut"))
        if loss.longer:
            said.append(words("place_weakest_hops", name=name, count=loss.longer))
        else:
            share = words.percent(100 * loss.uncovered)
            said.append(words("place_weakest_cover", name=name, share=share, walk=words.short(area.walk_m)))
    return " ".join(said)


def render(proposal: Proposal, language: str = "en", sibling: str = "") -> str:
    """The page; `sibling` is the file name of the same page in the other language."""
    words, area = Words(language), proposal.area
    title = words("place", count=len(proposal.boxes), area=area.name)
    hops = hops_from(area.gateway.name, proposal.links)
    spare = 100 * proposal.with_spare_way / len(proposal.boxes)
    figures = "".join(
        (
            figure(
                words.percent(100 * proposal.coverage[-1], 0), words("place_covered", walk=words.short(area.walk_m))
            ),
            figure(str(max(hops.values())), words("place_hops")),
            figure(words.percent(spare, 0), words("place_spare"), "good" if spare > 99 else "bad"),
        )
    )
    body = (
        f"<header><h1>{escape(title)}</h1></header><p class=verdict>{escape(verdict(proposal, language))}</p>"
        f'<div class="figures">{figures}</div>'
        + section("where", words("place_where"), _map(words, proposal, hops))
        + section("adds", words("place_adds"), _adds(words, proposal))
        + section("lost", words("place_if_lost"), _losses(words, proposal))
        + section("file", words("place_scenario"), f'<pre tabindex="0">{escape(as_toml(proposal))}</pre>')
    )
    return page(words, title, body, sibling)


def _map(words: Words, proposal: Proposal, hops: dict[str, int]) -> str:
    area = proposal.area
    places = (area.gateway, *proposal.boxes)
    index = {place.name: number for number, place in enumerate(places)}
    sites = {
        number: (Site(place.name, place.x_m, place.y_m, place.height_m), "gateway" if number == 0 else "core")
        for number, place in enumerate(places)
    }
    uses = {}
    for first, second, margin_db in proposal.links:
        uses[index[first], index[second]] = uses[index[second], index[first]] = round(10 * margin_db)
    by_index = {index[name]: hop for name, hop in hops.items()}
    critical = [index[name] for name, loss in proposal.losses.items() if loss.cut_off or name == proposal.weakest]
    notes = {
        index[box.name]: f"{words('rank')} {rank}, {words('hops')}: {hops.get(box.name, '–')}"
        for rank, box in enumerate(proposal.boxes, 1)
    }
    drawn = map_drawing.draw(words("place_where"), sites, uses, by_index, notes, critical, area.outline, area.walk_m)
    rows = [
        (box.name, str(rank), f"{box.x_m:.0f} / {box.y_m:.0f}", words.short(box.height_m), str(hops.get(box.name, "–")),
         words.percent(100 * share, 0))
        for rank, (box, share) in enumerate(zip(proposal.boxes, proposal.coverage, strict=True), 1)
    ]  # fmt: skip
    head = (words("box"), words("rank"), words("position"), words("height"), words("hops"), words("covered"))
    marks = legend((("gateway", words("legend_gateway")), ("hop1", words("legend_box"))))
    text = words("place_legend", walk=words.short(area.walk_m), margin=words.short(area.margin_db))
    return drawing_with_table(words, area.name, drawn, table(head, rows), marks) + f"<p>{escape(text)}</p>"


def _adds(words: Words, proposal: Proposal) -> str:
    rows = [
        (f"{rank}. {box.name}", 100 * share, words.percent(100 * share, 0), "ok")
        for rank, (box, share) in enumerate(zip(proposal.boxes, proposal.coverage, strict=True), 1)
    ]
    # Of very many boxes every n-th.
    shown = rows[:: max(1, -(-len(rows) // BARS_MAX))]
    caption = words("place_covered", walk=words.short(proposal.area.walk_m))
    as_table = table((words("box"), words("covered")), [(row[0], row[2]) for row in rows])
    return drawing_with_table(words, caption, drawing.row_bars(caption, shown, 100.0), as_table)


def _losses(words: Words, proposal: Proposal) -> str:
    rows = [
        (name, str(loss.cut_off), str(loss.longer), words.percent(100 * loss.uncovered))
        for name, loss in ((name, proposal.losses[name]) for name in proposal.by_loss)
    ]
    head = (words("box"), words("place_cut_off"), words("place_longer"), words("place_uncovered"))
    return f"<p>{escape(words('place_if_lost_text'))}</p>{table(head, rows)}"
