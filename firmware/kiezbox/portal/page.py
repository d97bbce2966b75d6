# SPDX-License-Identifier: Apache-2.0
"""The pages, as generators of short pieces of HTML (text, or bytes in UTF-8): no more than a sentence is in memory.

1. No script, no image, nothing from elsewhere; every page works without its style sheet.
2. A page is a row of templates. In one, {key} is a text of the language, {0} a value (escaped, whoever it comes from),
   {$0} the text whose key is a value, {.} the language in an address. Few long strings stay in flash; many short ones
   would fill the heap.
3. Between what stands side by side there is a space: without the style sheet nothing else keeps words apart.
4. `t` is a language.Texts; keys are asked in about the order of its file.

Not here: which page for which request (routes.py). Called by routes.py.
"""

from kiezbox.portal.help_points import KINDS, near
from kiezbox.portal.language import FOLDER, NAMES, local_time, tag

FIELDS = ("text", "place", "people", "name", "contact")
"""Of the form of a call, as on the page; besides them it has `category`, 1 to 6."""

_INPUTS = (
    '<textarea rows="2" maxlength="240"',
    '<input autocomplete="street-address" maxlength="60"',
    '<input inputmode="numeric" autocomplete="off" maxlength="4"',
    '<input autocomplete="name" maxlength="60"',
    '<input autocomplete="tel" maxlength="60"',
)
"""For FIELDS; a browser counts UTF-16 units."""

_STYLE_PART = 63
"""Bytes of the style sheet at a time. Fifteen pages may wait with one each; a bytes object has one byte more."""

NOTICES_MAX = 2
"""Headlines below the call; the notices themselves stand on the page `help`."""

PLACES = ("call", "status", "help", "about")
"""Titles that have an address of their own; every other page belongs to the start page."""

_RENEWAL = '<p class="x">{refreshing} <a href="/{.}/v/{0}/still">{refresh_stop}</a></p>'
"""That a page renews itself, and how to stop that (WCAG 2.2.1)."""

VALUES = (
    ("temperature_cc", 10, 1, "°C"),
    ("humidity_dpct", 10, 0, "%"),
    ("pressure_dpa", 10, 0, "hPa"),
    ("pm25_dugm3", 1, 1, "µg/m³"),
    ("pm10_dugm3", 1, 1, "µg/m³"),
    ("noise_laeq_ddba", 10, 0, "dB(A)"),
)
"""Of box.air(): what is shown, by what it is divided (rounded), decimals left, unit."""


def escape(text: str) -> str:
    """For element content and quoted attributes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def fill(t, template, *values):  # noqa: ANN001, ANN002, ANN201 - a generator of str
    """The pieces of a template, see above."""
    # Piece by piece, so that a page that waits for its phone holds one piece and not all.
    at = 0
    while True:
        end = template.find("{", at)
        if end < 0:
            yield template[at:]
            return
        yield template[at:end]
        at = template.find("}", end) + 1
        name = template[end + 1 : at - 1]
        if name == ".":
            yield t.name
        elif name[0] == "$":
            yield t(values[int(name[1:])])
        else:
            yield escape(str(values[int(name)])) if name.isdigit() else t(name)


def document(t, box, key, body, code="", error="", field=""):  # noqa: ANN001, ANN201
    """A whole page: title by `key`, what this is, the generator `body`, ways to elsewhere; `error` is a key, `field`
    the id of what it is about.

    With `code` the languages are buttons that bring it along, since it must not stand in an address.
    """
    yield from fill(
        t,
        '<!DOCTYPE html><html lang="{0}" dir="{1}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>',
        tag(t.name),
        "rtl" if t.name == "ar" else "ltr",
    )
    if error:
        yield t("error_title") + " "
    yield from fill(t, "{$0} – {1}</title><style>", key, box.name)
    with open(FOLDER + "style.css", "rb") as style:
        while True:
            part = style.read(_STYLE_PART)
            if not part:
                break
            yield part
    yield from fill(t, '</style></head><body class="{0}"><nav aria-label="{languages}" class="l">', box.mode)
    if code:
        yield from fill(t, '<form method="post"><input type="hidden" name="code" value="{0}">', code)
    for name, shown in NAMES:
        way = '<a href="/{0}/{1}" lang="{2}"'
        if code:
            way = '<button formaction="/{0}/status" lang="{2}"'
        yield from fill(t, way, name, key if key in PLACES else "", tag(name))
        if name == t.name:
            yield ' aria-current="true"'
        yield ">" + shown + ("</button> " if code else "</a> ")
    if code:
        yield "</form>"
    yield from fill(
        t,
        '</nav><header><p class="b">{0}</p><p class="m">{$1}</p></header><main><h1>{$2}</h1>',
        box.name,
        "mode_" + box.mode,
        key,
    )
    if error:
        yield from fill(t, '<p class="e" role="alert" id="e">{$0}', error)
        if field:
            yield from fill(t, ' <a href="#{0}">{$0}</a>', field)
        yield "</p>"
    yield from body
    yield from fill(
        t,
        '</main><footer><nav aria-label="{ways}"><a href="/{.}/">{way_home}</a> <a href="/{.}/status">{way_status}</a>'
        ' <a href="/{.}/help">{way_help}</a> <a href="/{.}/about">{way_about}</a></nav><p>{not_112}</p></footer>'
        "</body></html>\n",
    )


def call(t, box, form, errors):  # noqa: ANN001, ANN201
    """The call for help. `errors`: names of fields that need a second look. What was typed stays."""
    kind = "call" if box.mode == "emergency" else "practice" if box.mode == "everyday" else "exercise"
    yield from fill(
        t,
        '<p class="w">{$0}</p><form method="post" action="/{.}/call"><input type="hidden" name="mode" value="{1}">'
        '<fieldset><legend>{category}</legend><div class="g">',
        kind + "_first",
        box.mode,
    )
    for number in "123456":
        yield from fill(
            t,
            '<label><input type="radio" name="category" value="{0}"{1}><span>{$2}</span></label> ',
            number,
            " checked" if form.get("category") == number else "",
            "category_" + number,
        )
    yield "</div></fieldset>"
    for number in range(5):  # type: ignore[assignment]
        name = FIELDS[number]  # type: ignore[call-overload]
        value = form.get(name, "")
        if name == "name":
            opened = " open" if value or form.get("contact") else ""
            yield from fill(t, "<details{0}><summary>{who}</summary>", opened)
        yield from fill(t, '<label for="{0}">{$0}</label>', name)
        yield from fill(t, _INPUTS[number] + ' id="{0}" name="{0}" dir="auto"', name)  # type: ignore[call-overload]
        if name in errors:
            yield ' aria-invalid="true" aria-describedby="e"'
        yield from fill(t, ' value="{0}">' if number else ">{0}</textarea>", value)
    yield from fill(t, '</details><button class="p">{$0}</button></form>', kind + "_send")
    if kind != "practice":
        for one in box.notices(t.name)[:NOTICES_MAX]:
            yield from fill(
                t,
                '<p class="n" dir="auto"><a href="/{.}/help">{0}</a> <small>{1}</small></p>',
                one.get("headline", ""),
                one.get("source", ""),
            )


def stages(t, box, code, call_status, said, views, renewing, typed=""):  # noqa: ANN001, ANN201
    """What is known of a call, with `said` as its first sentence (a key).

    `views` (view.py) tells the address under which the page renews itself. It does so now if `renewing`, and then has
    no field that a person could be writing in; else it has what the owner can still do, with `typed` in the field.
    """
    if call_status["exercise"]:
        yield from fill(t, '<p class="w"><strong>{exercise_stage}</strong></p>')
    if said:
        yield from fill(t, '<p class="s" role="status">{$0}</p>', said)
    yield from code_shown(t, code)
    if renewing:
        yield from fill(t, _RENEWAL, views.address(code, box.now_ms()))
    if call_status["answer"]:
        yield from fill(t, '<div class="a"><h2>{answer}</h2><p dir="auto">{0}</p></div>', call_status["answer"])
    reached = {one["stage"]: one for one in call_status["stages"]}
    highest = max(reached) if reached else 0
    # A stage may be heard of without those before it; it tells of the same station.
    station = ""
    for number in (5, 4, 3):
        station = (reached.get(number) or {}).get("station") or station
    yield from fill(t, '<h2>{how_far}</h2><ol class="f">')
    for number in range(1, 6):
        one = reached.get(number) or {}
        when = one.get("time_s")
        # Who has read it has received it; an answer is there or not.
        done = number <= highest and (number < 5 or one)
        yield from fill(
            t, '<li class="d"><b>✓</b> {$0} <small>' if done else "<li><b>○</b> {$0} <small>", "stage_" + str(number)
        )
        if number in (3, 5) and done and (one.get("station") or station):
            yield from fill(t, "<bdi>{0}</bdi> ", one.get("station") or station)
        if done and when:
            yield t("stage_at", local_time(when))
        elif done and "age_s" in one:  # The box does not know what time it is, but how long ago that was.
            yield t.age(one["age_s"])
        else:
            yield t("stage_done" if done else "stage_open")
        yield "</small></li>"
    yield "</ol>"
    if call_status["cancelled"]:
        yield from fill(t, '<p class="s">{cancelled}</p>')
        yield from again(t, code, "again")
        return
    read = call_status["exercise"] or box.mode == "emergency"
    if not read:
        yield from fill(t, '<p class="w">{over}</p>')
    # The box that took the call knows that it stored it; another one knows only what the gateway said.
    own = 1 in reached
    yield from again(t, code, "change" if renewing and own else "again")
    if renewing:
        return
    yield from fill(t, '<p><a href="/{.}/v/{0}">{refresh_start}</a></p>', views.address(code, box.now_ms()))
    if own:
        yield from changes(t, code, read, typed)
    else:
        yield from fill(t, "<p>{other_box}</p>")


def changes(t, code, read, typed):  # noqa: ANN001, ANN201
    """What the owner of a call can still do. `read`: there is somebody who reads additions; `typed`: see `stages`."""
    for name in ("amend", "safe", "cancel"):
        area = "<p>{$3}</p><button>{$2}</button></form></details>"
        if name == "amend":
            if not read:
                continue
            area = (
                '<label for="more">{amend_label}</label><textarea id="more" name="text" rows="2" maxlength="240" '
                'dir="auto">{4}</textarea><button>{$2}</button></form></details>'
            )
        yield from fill(
            t,
            '<details{5}><summary>{$0}</summary><form method="post" action="/{.}/{0}">'
            '<input type="hidden" name="code" value="{1}">' + area,
            name,
            code,
            name + "_send",
            name + "_explained",
            typed,
            " open" if typed and name == "amend" else "",
        )


def code_shown(t, code):  # noqa: ANN001, ANN201
    """The receipt code, to be copied on paper."""
    yield from fill(
        t, '<p class="c"><span>{your_code}</span> <strong>{0}-{1}</strong></p><p>{code_keep}</p>', code[:4], code[4:]
    )


def again(t, code, key):  # noqa: ANN001, ANN201
    """A button that leads to the page of a call, which asks once more how far it is."""
    yield from fill(
        t,
        '<form method="post" action="/{.}/status"><input type="hidden" name="code" value="{0}">'
        "<button>{$1}</button></form>",
        code,
        key,
    )


def look_up(t, box, typed):  # noqa: ANN001, ANN201
    """Where a code is typed."""
    yield from fill(
        t,
        '<p>{look_up_text}</p><form method="post" action="/{.}/status"><label for="code">{code_label}</label>'
        '<input id="code" name="code" class="k" dir="ltr" maxlength="20" autocomplete="off" '
        'autocapitalize="characters" spellcheck="false" value="{0}"><button class="p">{look_up_send}</button></form>',
        typed,
    )


def unknown(t, box, code, key, views, renewing):  # noqa: ANN001, ANN201
    """A code that this box does not know, or not yet; `views` and `renewing` as in `stages`."""
    yield from code_shown(t, code)
    yield from fill(t, '<p class="s" role="status">{$0}</p>', key)
    yield from fill(
        t,
        _RENEWAL if renewing else '<p><a href="/{.}/v/{0}">{refresh_start}</a></p>',
        views.address(code, box.now_ms()),
    )
    yield from again(t, code, "again")


def home(t, box):  # noqa: ANN001, ANN201
    """Everyday and maintenance mode: no call here."""
    if box.mode == "maintenance":
        yield from fill(t, '<p class="w">{maintenance_first}</p><p>{maintenance_instead}</p>')
    else:
        yield from fill(t, "<p>{about_short}</p>")
        yield from air(t, box)
        yield from fill(
            t, '<h2>{practice}</h2><p>{practice_text}</p><p><a class="p" href="/{.}/call">{practice_go}</a></p>'
        )
    yield from notices(t, box)


def air(t, box):  # noqa: ANN001, ANN201
    """What the sensors say, and how old that is."""
    values = box.air()
    oldest_s = -1
    yield from fill(t, "<h2>{air}</h2>")
    for name, divisor, decimals, unit in VALUES:
        if name in values:
            value, age_s = values[name]
            if oldest_s < 0:
                yield '<dl class="v">'
            oldest_s = max(oldest_s, age_s)
            yield from fill(
                t,
                '<div><dt>{$0}</dt><dd><bdi dir="ltr">{1} <small>{2}</small></bdi></dd></div>',
                name,
                t.number((value + divisor // 2) // divisor, decimals),
                unit,
            )
    if oldest_s < 0:
        yield from fill(t, "<p>{air_none}</p>")
    else:
        yield from fill(t, "</dl><p><small>{0}</small></p>", t("air_age", t.age(oldest_s)))


def notices(t, box):  # noqa: ANN001, ANN201
    """Official notices: who says it, when, until when."""
    now_s = box.wall_s()[0]
    some = False
    yield from fill(t, "<h2>{notices}</h2>")
    for one in box.notices("de" if t.name == "ls" else t.name):
        some = True
        yield '<article class="n" dir="auto"'
        if one.get("language"):
            yield from fill(t, ' lang="{0}"', one["language"])
        yield from fill(
            t,
            '><h3>{0}</h3><p>{1}</p></article><p class="x">{notice_source} <bdi>{2}</bdi>. ',
            one.get("headline", ""),
            one.get("text", ""),
            one.get("source", ""),
        )
        sent_s = one.get("sent_s", 0)
        if sent_s:
            yield t("notice_sent", local_time(sent_s))
            yield " (" + t.age(now_s - sent_s) + "). " if now_s > sent_s else ". "
        if one.get("expires_s"):
            yield t("notice_until", local_time(one["expires_s"])) + "."
        yield "</p>"
    if not some:
        yield from fill(t, "<p>{notice_none}</p>")


def help_near(t, box):  # noqa: ANN001, ANN201
    """Places to go, what to do without power, notices."""
    some = False
    yield from fill(t, "<h2>{points}</h2>")
    for one in near(box):
        if not some:
            yield "<ul>"
        some = True
        yield from fill(t, '<li><strong dir="auto">{0}</strong>', one.get("name", ""))
        if one.get("kind") in KINDS:
            yield "<br>" + t("kind_" + one["kind"])
        yield from fill(t, '<br><span dir="auto">{0}</span>', one.get("address", ""))
        if one.get("area"):
            yield from fill(t, '<br><small dir="auto">{0}</small>', one["area"])
        yield "</li>"
    yield from fill(t, "</ul><p>{points_note}</p>" if some else "<p>{points_none}</p>")
    yield from fill(
        t,
        "<h2>{no_power}</h2><ul><li>{no_power_1}</li><li>{no_power_2}</li><li>{no_power_3}</li><li>{no_power_4}</li>"
        "<li>{no_power_5}</li><li>{no_power_6}</li><li>{no_power_7}</li></ul>",
    )
    yield from notices(t, box)


def about(t, box):  # noqa: ANN001, ANN201
    """What this box is, and what it does with what people write."""
    yield from fill(t, "<p>{about_1}</p><p>{about_2}</p><p>{about_3}</p><p>{about_4}</p><p>{about_5}</p>")
    if box.mode != "maintenance":
        yield from air(t, box)


def sentence(t, key):  # noqa: ANN001, ANN201
    """One sentence and a way back, for requests that came out wrong."""
    yield from fill(t, '<p>{$0}</p><p><a class="p" href="/{.}/">{way_home}</a></p>', key)
