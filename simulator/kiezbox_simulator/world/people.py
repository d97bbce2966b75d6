# SPDX-License-Identifier: Apache-2.0
"""Who comes to a box and when: calls for help over a blackout, impatient looking, second attempts, pranks and floods.

Arrivals are a Poisson process whose rate follows the hours since the lights went out: an hour of surprise, more as
batteries of phones and devices run down (mobile networks fail after at most four hours, Kat-Leuchtturm study), less
at night, more in the second and third day as medicine, warmth and oxygen run short. Everything is drawn by hash of
seed, box and number, so a person's text does not depend on who else came. Not here: HTTP (virtual/phone.py), what
the box does.
"""

from dataclasses import dataclass

from kiezbox_simulator.world import call_texts, chance

HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Person:
    """One visit. `looks_us`: when they look at the state of their call, after the answer came; `repeats`: how often
    they send again when the page does not answer within their patience."""

    key: str
    time_us: int
    box: str
    form: dict[str, str]
    genuine: bool
    patience_us: int
    repeats: int
    looks_us: tuple[int, ...]
    changes_mind: str  # "", "cancel", "safe" or "amend"


def blackout_rate(hours: float) -> float:
    """Calls an hour relative to the mean, `hours` after the lights went out."""
    if hours < 0:
        return 0.0
    start = 0.6 + 0.8 * min(1.0, hours / 4.0)
    later = 1.0 + 0.25 * min(2.0, max(0.0, (hours - 24.0) / 24.0))
    return start * later


def day_factor(local_hour: float) -> float:
    """People's daily rhythm: mean 1."""
    return (
        0.25,
        0.2,
        0.2,
        0.2,
        0.25,
        0.4,
        0.8,
        1.2,
        1.4,
        1.4,
        1.4,
        1.3,
        1.3,
        1.3,
        1.3,
        1.3,
        1.4,
        1.6,
        1.7,
        1.6,
        1.4,
        1.1,
        0.8,
        0.4,
    )[int(local_hour) % 24]


def weighted(shares: tuple[tuple[object, float], ...], draw: float) -> object:
    """The entry that `draw` (0..1) falls on."""
    total = sum(share for _, share in shares)
    for value, share in shares:
        draw -= share / total
        if draw < 0:
            return value
    return shares[-1][0]


def form(seed: int, key: str, genuine: bool = True) -> dict[str, str]:
    """What this person types: the fields of the portal's form."""
    language = str(weighted(call_texts.LANGUAGE_SHARES, chance.uniform(seed, key, "language")))
    category = int(str(weighted(call_texts.CATEGORY_SHARES, chance.uniform(seed, key, "category"))))
    if genuine:
        texts = call_texts.TEXTS[language][category]
        text = texts[chance.choice(seed, len(texts), key, "text")].format(
            floor=1 + chance.choice(seed, 6, key, "floor")
        )
    else:
        text = call_texts.PRANKS[chance.choice(seed, len(call_texts.PRANKS), key, "prank")]
    street = call_texts.STREETS[chance.choice(seed, len(call_texts.STREETS), key, "street")]
    name = call_texts.NAMES[chance.choice(seed, len(call_texts.NAMES), key, "name")]
    phone = (
        f"0151 {1_000_000 + chance.choice(seed, 8_999_999, key, 'phone')}"
        if chance.uniform(seed, key, "has") < 0.4
        else ""
    )
    return {
        "category": str(category),
        "text": text,
        "place": f"{street} {1 + chance.choice(seed, 140, key, 'number')}",
        "people": str(1 + int(4 * chance.uniform(seed, key, "people") ** 2)),
        "name": name,
        "contact": phone,
        "language": language,
    }


def visits(
    seed: int,
    boxes: list[str],
    start_us: int,
    end_us: int,
    calls_per_box_day: float,
    *,
    local_hour_at_zero: float = 0.0,
    blackout: bool = True,
    prank_share: float = 0.03,
    impatient_share: float = 0.25,
) -> list[Person]:
    """Everybody who comes between two instants, in order of time.

    `calls_per_box_day` is the mean; in a blackout it is shaped by `blackout_rate`, always by the time of day.
    """
    people: list[Person] = []
    if calls_per_box_day <= 0:
        return people
    # Thinning: candidates at the greatest rate, kept with the ratio of the true one.
    greatest = 2.1 * 1.7 if blackout else 1.7
    gap_us = 24 * HOUR_US / (calls_per_box_day * greatest)
    for box in boxes:
        time_us, number = float(start_us), 0
        while True:
            number += 1
            key = f"{box}/{number}"
            time_us += chance.exponential(seed, gap_us, key, "gap")
            if time_us >= end_us:
                break
            hour = local_hour_at_zero + time_us / HOUR_US
            rate = day_factor(hour) * (blackout_rate((time_us - start_us) / HOUR_US) if blackout else 1.0)
            if chance.uniform(seed, key, "thin") * greatest >= rate:
                continue
            genuine = chance.uniform(seed, key, "genuine") >= prank_share
            impatient = chance.uniform(seed, key, "impatient") < impatient_share
            looks = tuple(round(minutes * 60e6) for minutes in ((1, 3, 10, 40) if impatient else (5, 30)))
            turn = chance.uniform(seed, key, "turn")
            mind = "cancel" if turn < 0.04 else "safe" if turn < 0.08 else "amend" if turn < 0.14 else ""
            people.append(
                Person(
                    key, round(time_us), box, form(seed, key, genuine), genuine,
                    8_000_000 if impatient else 30_000_000, 2 if impatient else 1, looks, mind,
                )
            )  # fmt: skip
    people.sort(key=lambda person: (person.time_us, person.key))
    return people


def lookers(seed: int, boxes: list[str], start_us: int, end_us: int, per_box_day: float) -> list[tuple[int, str, str]]:
    """Who only opens the page, to see what is announced and how the air is: (time_us, box, key), in order of time."""
    found: list[tuple[int, str, str]] = []
    for box in boxes if per_box_day > 0 else ():
        time_us, number = float(start_us), 0
        while True:
            number += 1
            key = f"{box}/look-{number}"
            time_us += chance.exponential(seed, 24 * HOUR_US / per_box_day, key)
            if time_us >= end_us:
                break
            found.append((round(time_us), box, key))
    return sorted(found)
