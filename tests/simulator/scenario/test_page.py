# SPDX-License-Identifier: Apache-2.0
"""The frame of reports: language, link to the other one, tables with headers, nothing that a name could break."""

from kiezbox_simulator.scenario import page
from kiezbox_simulator.scenario.words import Words

DE = Words("de")


def test_a_page_says_its_language_and_links_to_the_other():
    made = page.page(DE, "Köpenick <1>", "<p>x</p>", 'a"b.html')
    assert made.startswith('<!doctype html><html lang="de">')
    assert "<title>Köpenick &lt;1&gt; – Kiezbox-Simulation</title>" in made
    assert '<a href="a&quot;b.html" lang="en" hreflang="en">This page in English</a>' in made
    assert "<a " not in page.page(DE, "t", "")


def test_the_style_needs_nothing_from_elsewhere():
    assert "@import" not in page.CSS
    assert "url(" not in page.CSS
    assert "@media print" in page.CSS


def test_a_table_has_headers_for_rows_and_columns_and_escapes_its_cells():
    made = page.table(("", "<b>"), [("row", "<i>"), ("other", "2")], "caption")
    assert made.count('<th scope="row">') == 2
    assert made.count('<th scope="col">') == 1  # A corner without words is no header.
    assert "<caption>caption</caption>" in made
    assert "&lt;b&gt;" in made
    assert "&lt;i&gt;" in made
    assert 'tabindex="0"' in made


def test_a_drawing_comes_with_its_table():
    made = page.drawing_with_table(DE, "Bild", "<svg></svg>", "<table></table>", "<p>l</p>")
    assert made.index("<svg>") < made.index("<p>l</p>") < made.index("<details>") < made.index("<table>")
    assert "Dasselbe als Tabelle" in made


def test_lists_and_sections():
    assert page.items(["<a>", "b"], ordered=True) == '<ol class=""><li>&lt;a&gt;</li><li>b</li></ol>'
    made = page.section("air", "Wie & voll", "x")
    assert 'aria-labelledby="air-h"' in made
    assert "Wie &amp; voll" in made
