# SPDX-License-Identifier: Apache-2.0
"""What people write when they need help: nine languages, six categories, in their own words. Data only; used by
people.py.

`{floor}` is a storey. Invented, but in the manner of real calls: short, sometimes without punctuation, with what
matters late.
"""

MEDICAL, FIRE, POLICE, TRAPPED, CARE, OTHER = range(1, 7)

TEXTS: dict[str, dict[int, tuple[str, ...]]] = {
    "de": {
        MEDICAL: (
            "Mein Mann hat starke Schmerzen in der Brust und kriegt schlecht Luft, {floor}. OG, Klingel geht nicht",
            "Nachbarin gestürzt, blutet am Kopf, ist ansprechbar, {floor}. Etage links",
            "Kind 4 Jahre Fieber 40,5 seit gestern, trinkt nichts mehr",
        ),
        FIRE: (
            "Es riecht nach Rauch im Treppenhaus, im {floor}. Stock kommt Qualm unter der Tür raus!",
            "Kerze hat Vorhang angezündet, gelöscht aber Wand ist heiss, bitte nachsehen",
        ),
        POLICE: (
            "Im Hinterhof brechen zwei Leute die Keller auf, einer hat ein Messer",
            "Geschäft unten wird geplündert, wir trauen uns nicht raus",
        ),
        TRAPPED: (
            "Stecke im Aufzug fest zwischen {floor}. und nächstem Stock, zwei Personen, eine schwanger",
            "Haustür elektrisch verriegelt, Rollstuhlfahrer kommt nicht raus, {floor}. Stock",
        ),
        CARE: (
            "Sauerstoffgerät läuft nur noch 2 Stunden auf Akku, bitte Strom oder Flasche",
            "Insulin wird warm, Mutter 81 Jahre, brauche Kühlung oder neues",
            "Beatmungsgerät zuhause, Akku 40 Minuten!",
        ),
        OTHER: ("Alte Dame sitzt seit gestern allein in der kalten Wohnung, {floor}. OG, macht kaum noch auf",),
    },
    "de-LS": {
        MEDICAL: ("Mir geht es sehr schlecht. Ich habe Schmerzen im Bauch. Ich bin allein.",),
        FIRE: ("Es brennt im Haus. Ich sehe Rauch. Ich wohne im {floor}. Stock.",),
        POLICE: ("Ein Mann schlägt an meine Tür. Ich habe Angst.",),
        TRAPPED: ("Der Aufzug geht nicht. Ich sitze im Rollstuhl. Ich kann nicht runter.",),
        CARE: ("Meine Tabletten sind alle. Ich brauche die Tabletten jeden Tag.",),
        OTHER: ("Mir ist sehr kalt. Ich habe kein Essen. Bitte kommen Sie.",),
    },
    "en": {
        MEDICAL: (
            "My flatmate is having a seizure, second one in ten minutes, {floor}th floor, door is open",
            "Elderly man collapsed on the stairs, breathing but not answering",
        ),
        FIRE: ("Smoke coming out of the basement, people still inside",),
        POLICE: ("Someone is trying to break into the ground floor flat right now",),
        TRAPPED: ("Stuck in the lift since about an hour, three people, getting cold",),
        CARE: ("My dad is on home dialysis and missed today's session, power is gone. What should we do",),
        OTHER: ("Found a small child alone outside, about 3 years old, no parents around",),
    },
    "tr": {
        MEDICAL: (
            "Annem nefes alamıyor, kalp hastası, {floor}. kat, lütfen acele edin",
            "Hamileyim sancılarım başladı, 8. ay",
        ),
        FIRE: ("Mutfakta tüp yanıyor, söndüremiyoruz, dumandan göz gözü görmüyor",),
        POLICE: ("Alt kattaki dükkana girdiler, cam kırıldı, çok korkuyoruz",),
        TRAPPED: ("Asansörde kaldık iki kişiyiz, çocuk var, {floor}. katta",),
        CARE: ("Oksijen cihazının pili bitmek üzere, babam 74 yaşında",),
        OTHER: ("Yaşlı komşumuz kapıyı açmıyor, iki gündür sesi çıkmıyor",),
    },
    "ar": {
        MEDICAL: ("زوجي مغمى عليه ولا يتنفس جيدا، الطابق {floor}", "ابنتي عندها حرارة عالية وتشنجات، عمرها سنتان"),
        FIRE: ("هناك حريق في القبو والدخان يصعد على الدرج",),
        POLICE: ("ناس يكسرون باب المحل تحتنا ونحن خائفون",),
        TRAPPED: ("نحن عالقون في المصعد، أربعة أشخاص، امرأة حامل",),
        CARE: ("جهاز الأكسجين بطاريته ستنتهي بعد ساعة، المريض عمره 68",),
        OTHER: ("لا يوجد تدفئة وعندنا طفل رضيع عمره أسبوعان",),
    },
    "ru": {
        MEDICAL: (
            "Бабушке плохо с сердцем, 79 лет, лекарства кончились, {floor} этаж",
            "Муж упал с лестницы, не может встать, сильная боль в спине",
        ),
        FIRE: ("Горит квартира напротив, дым по всему подъезду",),
        POLICE: ("Пьяный мужчина с ножом ломится в дверь",),
        TRAPPED: ("Застряли в лифте, темно, одна женщина теряет сознание",),
        CARE: ("Инсулин закончился, диабет первого типа, сахар уже 22",),
        OTHER: ("Прорвало трубу, вода льётся через потолок на проводку",),
    },
    "uk": {
        MEDICAL: (
            "Чоловік знепритомнів, тиск був 200, {floor} поверх, двері відчинені",
            "Дитина проковтнула щось, задихається!",
        ),
        FIRE: ("Запах газу в під'їзді, дуже сильний, люди не виходять",),
        POLICE: ("Хтось вибив вікно на першому поверсі і ліз усередину",),
        TRAPPED: ("Мама в інвалідному візку на {floor} поверсі, ліфт не працює, закінчилась вода",),
        CARE: ("Потрібен кисень, концентратор без світла не працює, батько важко дихає",),
        OTHER: ("Ми з двома дітьми без тепла третю добу, молодша кашляє",),
    },
    "pl": {
        MEDICAL: (
            "Sąsiad leży na klatce, nie rusza się, {floor} piętro",
            "Żona rodzi, karetka się nie zgłasza, szybko proszę",
        ),
        FIRE: ("Pali się śmietnik przy ścianie domu, ogień idzie na okna",),
        POLICE: ("Pobili chłopaka pod sklepem, leży i krwawi, uciekli w stronę parku",),
        TRAPPED: ("Winda stoi między piętrami, starsza pani ma atak paniki",),
        CARE: ("Potrzebny prąd do respiratora, akumulator na godzinę",),
        OTHER: ("Starszy pan z demencją wyszedł z domu w nocy i nie wrócił",),
    },
    "vi": {
        MEDICAL: (
            "Mẹ tôi bị đau ngực, khó thở, tầng {floor}, cần bác sĩ gấp",
            "Con trai tôi bị bỏng nước sôi ở tay và bụng",
        ),
        FIRE: ("Bếp nhà hàng bên dưới đang cháy, khói lên cầu thang",),
        POLICE: ("Có người đập cửa kính cửa hàng và lấy đồ",),
        TRAPPED: ("Chúng tôi bị kẹt trong thang máy, có một em bé",),
        CARE: ("Bố tôi cần máy thở, pin chỉ còn 30 phút",),
        OTHER: ("Bà cụ hàng xóm ở một mình, nhà rất lạnh, bà không trả lời",),
    },
}

LANGUAGE_SHARES = (
    ("de", 0.64), ("de-LS", 0.03), ("en", 0.07), ("tr", 0.08), ("ar", 0.05), ("ru", 0.05), ("uk", 0.04), ("pl",
    0.03), ("vi", 0.01),
)  # fmt: skip
"""Rough shares of what a Berlin street would write in; foreign citizens by Amt für Statistik Berlin-Brandenburg, end
of 2023."""

CATEGORY_SHARES = ((MEDICAL, 0.38), (FIRE, 0.08), (POLICE, 0.10), (TRAPPED, 0.12), (CARE, 0.22), (OTHER, 0.10))

STREETS = (
    "Akazienstr.", "Belziger Str.", "Hauptstr.", "Grunewaldstr.", "Eisenacher Str.", "Goltzstr.",
    "Martin-Luther-Str.", "Kolonnenstr.", "Crellestr.", "Apostel-Paulus-Str.", "Barbarossastr.", "Feurigstr.",
    "Ebersstr.", "Dominicusstr.", "Monumentenstr.",
)  # fmt: skip

NAMES = (
    "Schulz", "Yılmaz", "Nowak", "Петрова", "Шевченко", "Nguyễn", "محمد", "Krüger", "O'Neill", "Hoffmann", "Demir",
    "", "", "",
)  # fmt: skip

PRANKS = ("lol test", "hilfe mein wlan ist weg", "asdf", "Pizza bitte", "1 2 3 hört mich wer", "😀😀😀")
