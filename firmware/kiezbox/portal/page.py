# SPDX-License-Identifier: Apache-2.0
"""The pages, as generators of short pieces of HTML: nothing larger than a sentence is in memory.

1. No script, no image, nothing from elsewhere; every page works without its style sheet.
2. Whatever a person or a notice says passes `escape`.
3. `t` is a language.Texts; keys are asked in about the order of its file.

Not here: which page for which request (routes.py). Called by routes.py.
"""

from kiezbox.portal.language import FOLDER, NAMES, local_time, tag

FIELDS = ("text", "place", "people", "name", "contact")
"""Of the form of a call, as on the page; besides them it has `category`, 1 to 6."""

LENGTHS_MAX = {"text": 240, "place": 60, "people": 4, "name": 60, "contact": 60}
"""What a browser lets a person type, in UTF-16 units."""

NOTICES_MAX = 2
"""Headlines below the call; the notices themselves stand on the page `help`."""

PLACES = ("call", "status", "help", "about")
"""Titles that have an address of their own; every other page belongs to the start page."""


def escape(text: str) -> str:
    """For element content and quoted attributes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def document(t, box, key, body, code="", error="", status=200):  # noqa: ANN001, ANN201 - a generator of str
    """A whole page: title by `key`, what this is, the generator `body`, ways to elsewhere.

    With `code` the languages are buttons that bring it along, since it must not stand in an address.
    """
    yield '<!DOCTYPE html><html lang="' + tag(t.name) + '" dir="' + ("rtl" if t.name == "ar" else "ltr")
    yield '"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>'
    if error:
        yield t("error_title") + " "
    yield t(key) + " – " + escape(box.name) + "</title><style>"
    with open(FOLDER + "style.css") as style:
        for line in style:
            yield line
    yield '</style></head><body class="' + box.mode + '"><nav aria-label="' + t("languages") + '" class="l">'
    if code:
        yield '<form method="post"><input type="hidden" name="code" value="' + code + '">'
    for name, shown in NAMES:
        here = ' aria-current="true"' if name == t.name else ""
        attributes = ' lang="' + tag(name) + '"' + here + ">" + shown
        if code:
            yield '<button formaction="/' + name + '/status"' + attributes + "</button>"
        else:
            yield '<a href="/' + name + "/" + (key if key in PLACES else "") + '"' + attributes + "</a>"
    yield ("</form>" if code else "") + '</nav><header><p class="b">' + escape(box.name)
    yield '</p><p class="m">' + t("mode_" + box.mode) + "</p></header><main><h1>" + t(key) + "</h1>"
    if error:
        yield '<p class="e" role="alert" id="e">' + t(error) + "</p>"
    for piece in body:
        yield piece
    yield '</main><footer><nav aria-label="' + t("ways") + '">'
    for name in ("", "status", "help", "about"):
        yield '<a href="/' + t.name + "/" + name + '">' + t("way_" + (name or "home")) + "</a>"
    yield "</nav><p>" + t("not_112") + "</p></footer></body></html>\n"


def call(t, box, form, errors):  # noqa: ANN001, ANN201
    """The call for help. `errors`: names of fields that need a second look. What was typed stays."""
    kind = "call" if box.mode == "emergency" else "practice" if box.mode == "everyday" else "exercise"
    yield '<p class="w">' + t(kind + "_first") + '</p><form method="post" action="/' + t.name
    yield '/call"><input type="hidden" name="mode" value="' + box.mode + '"><fieldset><legend>'
    yield t("category") + '</legend><div class="g">'
    for number in range(1, 7):
        value = str(number)
        yield '<label><input type="radio" name="category" value="' + value + '"'
        yield (" checked" if form.get("category") == value else "") + "><span>" + t("category_" + value)
        yield "</span></label>"
    yield "</div></fieldset>"
    for name in FIELDS:
        if name == "name":
            opened = " open" if form.get("name") or form.get("contact") else ""
            yield "<details" + opened + "><summary>" + t("who") + "</summary>"
        attributes = ' id="' + name + '" name="' + name + '" dir="auto" maxlength="' + str(LENGTHS_MAX[name]) + '"'
        if name in errors:
            attributes += ' aria-invalid="true" aria-describedby="e"'
        yield '<label for="' + name + '">' + t(name) + "</label>"
        value = escape(form.get(name, ""))
        if name == "text":
            yield '<textarea rows="2"' + attributes + ">" + value + "</textarea>"
        else:
            more = {"people": 'inputmode="numeric"', "name": 'autocomplete="name"', "contact": 'autocomplete="tel"'}
            yield "<input " + more.get(name, 'autocomplete="street-address"') + attributes + ' value="' + value + '">'
    yield '</details><button class="p">' + t(kind + "_send") + "</button></form>"
    if kind != "practice":
        for one in box.notices(t.name)[:NOTICES_MAX]:
            yield (
                '<p class="n" dir="auto"><a href="/'
                + t.name
                + '/help">'
                + escape(one.get("headline", ""))
                + "</a> <small>"
            )
            yield escape(one.get("source", "")) + "</small></p>"


def stages(t, box, code, call_status, said):  # noqa: ANN001, ANN201
    """What is known of a call, with `said` as its first sentence (a key), and what its owner can still do."""
    exercise = call_status["exercise"]
    if exercise:
        yield '<p class="w"><strong>' + t("exercise_stage") + "</strong></p>"
    if said:
        yield '<p class="s" role="status">' + t(said) + "</p>"
    for piece in code_shown(t, code):
        yield piece
    if call_status["answer"]:
        yield '<div class="a"><h2>' + t("answer") + '</h2><p dir="auto">' + escape(call_status["answer"]) + "</p></div>"
    reached = {one["stage"]: one for one in call_status["stages"]}
    highest = max(reached) if reached else 0
    yield "<h2>" + t("how_far") + '</h2><ol class="f">'
    for number in range(1, 6):
        one = reached.get(number)
        done = number <= highest and (number < 5 or one is not None)
        yield ('<li class="d"><b>✓</b> ' if done else "<li><b>○</b> ") + t("stage_" + str(number))
        yield "<small>"
        if one and one.get("station") and number in (3, 5):
            yield "<bdi>" + escape(one["station"]) + "</bdi> "
        when = one["time_s"] if one else 0
        if done:
            yield t("stage_at", local_time(when)) if when else t("stage_done")
        else:
            yield t("stage_open")
        yield "</small></li>"
    yield "</ol>"
    if call_status["cancelled"]:
        yield '<p class="s">' + t("cancelled") + "</p>"
    for piece in action(t, "status", code, "", "again"):
        yield piece
    if not call_status["cancelled"]:
        yield "<details><summary>" + t("amend") + "</summary>"
        area = '<label for="more">' + t("amend_label")
        area += '</label><textarea id="more" name="text" rows="2" maxlength="240" dir="auto"></textarea>'
        for piece in action(t, "amend", code, area, "amend_send"):
            yield piece
        yield "</details>"
        for name in ("safe", "cancel"):
            yield "<details><summary>" + t(name) + "</summary><p>" + t(name + "_explained") + "</p>"
            for piece in action(t, name, code, "", name + "_send"):
                yield piece
            yield "</details>"


def code_shown(t, code):  # noqa: ANN001, ANN201
    """The receipt code, to be copied on paper."""
    yield '<p class="c"><span>' + t("your_code") + "</span><strong>" + code[:4] + "-" + code[4:] + "</strong></p><p>"
    yield t("code_keep") + "</p>"


def action(t, path, code, inside, key):  # noqa: ANN001, ANN201
    """A form that brings the code along, with `inside` and one button."""
    yield '<form method="post" action="/' + t.name + "/" + path + '"><input type="hidden" name="code" value="'
    yield code + '">' + inside + "<button>" + t(key) + "</button></form>"


def look_up(t, box, typed):  # noqa: ANN001, ANN201
    """Where a code is typed."""
    yield "<p>" + t("look_up_text") + '</p><form method="post" action="/' + t.name + '/status"><label for="code">'
    yield t("code_label") + '</label><input id="code" name="code" class="k" dir="ltr" maxlength="20" autocomplete="off"'
    yield ' autocapitalize="characters" spellcheck="false" value="' + escape(typed) + '"><button class="p">'
    yield t("look_up_send") + "</button></form>"


def unknown(t, box, code, key):  # noqa: ANN001, ANN201
    """A code that this box does not know, or not yet."""
    for piece in code_shown(t, code):
        yield piece
    yield '<p class="s" role="status">' + t(key) + "</p>"
    for piece in action(t, "status", code, "", "again"):
        yield piece


def home(t, box):  # noqa: ANN001, ANN201
    """Everyday and maintenance mode: no call here."""
    if box.mode == "maintenance":
        yield '<p class="w">' + t("maintenance_first") + "</p><p>" + t("maintenance_instead") + "</p>"
    else:
        yield "<p>" + t("about_short") + "</p>"
        for piece in air(t, box):
            yield piece
        yield "<h2>" + t("practice") + "</h2><p>" + t("practice_text") + '</p><p><a class="p" href="/' + t.name
        yield '/call">' + t("practice_go") + "</a></p>"
    for piece in notices(t, box):
        yield piece


VALUES = (
    ("temperature_cc", 10, 1, "°C"),
    ("humidity_dpct", 10, 0, "%"),
    ("pressure_dpa", 10, 0, "hPa"),
    ("pm25_dugm3", 1, 1, "µg/m³"),
    ("pm10_dugm3", 1, 1, "µg/m³"),
    ("noise_laeq_ddba", 10, 0, "dB(A)"),
)
"""Of box.air(): what is shown, by what it is divided (rounded), decimals left, unit."""


def air(t, box):  # noqa: ANN001, ANN201
    """What the sensors say, and how old that is."""
    values = box.air()
    yield "<h2>" + t("air") + "</h2>"
    oldest_s = -1
    for name, divisor, decimals, unit in VALUES:
        if name in values:
            value, age_s = values[name]
            yield '<dl class="v">' if oldest_s < 0 else ""
            oldest_s = max(oldest_s, age_s)
            shown = t.number((value + divisor // 2) // divisor, decimals)
            yield (
                "<div><dt>"
                + t(name)
                + '</dt><dd><bdi dir="ltr">'
                + shown
                + " <small>"
                + unit
                + "</small></bdi></dd></div>"
            )
    yield "<p>" + t("air_none") + "</p>" if oldest_s < 0 else "</dl><p><small>" + t("air_age", t.age(oldest_s))
    yield "" if oldest_s < 0 else "</small></p>"


def notices(t, box):  # noqa: ANN001, ANN201
    """Official notices: who says it, when, until when."""
    now_s = box.wall_s()[0]
    yield "<h2>" + t("notices") + "</h2>"
    some = False
    for one in box.notices("de" if t.name == "ls" else t.name):
        some = True
        language = escape(one.get("language", ""))
        yield '<article class="n" dir="auto"' + (' lang="' + language + '"' if language else "") + "><h3>"
        yield escape(one.get("headline", "")) + "</h3><p>" + escape(one.get("text", "")) + '</p></article><p class="x">'
        yield t("notice_source") + " <bdi>" + escape(one.get("source", "")) + "</bdi>. "
        sent_s = one.get("sent_s", 0)
        if sent_s:
            yield t("notice_sent", local_time(sent_s))
            if now_s > sent_s:
                yield " (" + t.age(now_s - sent_s) + ")"
            yield ". "
        if one.get("expires_s"):
            yield t("notice_until", local_time(one["expires_s"])) + "."
        yield "</p>"
    if not some:
        yield "<p>" + t("notice_none") + "</p>"


def help_near(t, box):  # noqa: ANN001, ANN201
    """Places to go, what to do without power, notices."""
    yield "<h2>" + t("points") + "</h2>"
    some = False
    for one in box.help_points():
        yield "" if some else "<ul>"
        some = True
        yield '<li><strong dir="auto">' + escape(one.get("name", "")) + '</strong><br><span dir="auto">'
        yield escape(one.get("address", "")) + "</span></li>"
    yield "</ul>" if some else "<p>" + t("points_none") + "</p>"
    yield "<h2>" + t("no_power") + "</h2><ul>"
    for number in range(1, 8):
        yield "<li>" + t("no_power_" + str(number)) + "</li>"
    yield "</ul>"
    for piece in notices(t, box):
        yield piece


def about(t, box):  # noqa: ANN001, ANN201
    """What this box is, and what it does with what people write."""
    for number in range(1, 6):
        yield "<p>" + t("about_" + str(number)) + "</p>"
    if box.mode != "maintenance":
        for piece in air(t, box):
            yield piece


def sentence(t, key):  # noqa: ANN001, ANN201
    """One sentence and a way back, for requests that came out wrong."""
    yield "<p>" + t(key) + '</p><p><a class="p" href="/' + t.name + '/">' + t("way_home") + "</a></p>"
