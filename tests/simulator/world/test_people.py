# SPDX-License-Identifier: Apache-2.0
"""People: rates, languages, and that one person does not depend on another."""

from collections import Counter

import pytest

from kiezbox_simulator.world import call_texts, people

DAY_US = 24 * people.HOUR_US


def some(count=20, **options):
    return people.visits(1, [f"box{n}" for n in range(count)], 0, 5 * DAY_US, 12.0, **options)


def test_there_are_texts_for_every_language_and_category():
    assert set(call_texts.TEXTS) == {language for language, _ in call_texts.LANGUAGE_SHARES}
    assert len(call_texts.TEXTS) == 9
    for texts in call_texts.TEXTS.values():
        assert set(texts) == {category for category, _ in call_texts.CATEGORY_SHARES}


def test_all_languages_and_categories_come():
    crowd = some()
    assert {p.form["language"] for p in crowd} == set(call_texts.TEXTS)
    assert {p.form["category"] for p in crowd} == set("123456")
    share = Counter(p.form["language"] for p in crowd)["de"] / len(crowd)
    assert share == pytest.approx(0.64, abs=0.05)


def test_the_rate_is_about_what_was_asked_for_and_follows_the_day():
    crowd = some(60, blackout=False)
    assert len(crowd) == pytest.approx(60 * 5 * 12, rel=0.1)
    by_hour = Counter(p.time_us // people.HOUR_US % 24 for p in crowd)
    assert by_hour[18] > 4 * by_hour[3]


def test_a_blackout_asks_more_of_the_later_days():
    crowd = some(60)
    assert sum(p.time_us >= 2 * DAY_US for p in crowd) / 3 > sum(p.time_us < DAY_US for p in crowd)


def test_one_persons_call_does_not_depend_on_the_number_of_boxes():
    few = {p.key: p for p in some(3)}
    many = {p.key: p for p in some(30)}
    assert few.items() <= many.items()


def test_order_is_by_time_and_pranks_are_marked():
    crowd = some(40, prank_share=0.2)
    assert [p.time_us for p in crowd] == sorted(p.time_us for p in crowd)
    pranks = [p for p in crowd if not p.genuine]
    assert len(pranks) / len(crowd) == pytest.approx(0.2, abs=0.04)
    assert {p.form["text"] for p in pranks} <= set(call_texts.PRANKS)


def test_who_only_looks_comes_all_day_and_does_not_depend_on_other_boxes():
    alone = people.lookers(1, ["a"], 0, 240 * people.HOUR_US, 12)
    both = people.lookers(1, ["a", "b"], 0, 240 * people.HOUR_US, 12)
    assert 90 < len(alone) < 150
    assert [one for one in both if one[1] == "a"] == alone
    assert both == sorted(both)
    assert people.lookers(1, ["a"], 0, people.HOUR_US, 0) == []
