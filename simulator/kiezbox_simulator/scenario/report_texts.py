# SPDX-License-Identifier: Apache-2.0
"""The sentences of all reports: name -> (English, German). Data for words.py; a test holds both columns to the same
fields."""

TEXTS: dict[str, tuple[str, str]] = {
    "day": ("day", "Tag"),
    "hour": ("hour", "Stunde"),
    "other_language": ("Diese Seite auf Deutsch", "This page in English"),
    "as_table": ("The same as a table", "Dasselbe als Tabelle"),
    "printed_by": ("Kiezbox simulation", "Kiezbox-Simulation"),
    # Head and answer
    "facts": (
        "{hours} hours from {start} · boxes: {boxes} · gateways: {gateways} · seed {seed}",
        "{hours} Stunden ab {start} · Boxen: {boxes} · Gateways: {gateways} · Startwert {seed}",
    ),
    "kind_vm": ("Each box runs its real firmware.", "Jede Box führt ihre echte Firmware aus."),
    "kind_core": (
        "Each box runs the firmware's radio protocol; its page, memory and energy management are simplified.",
        "Jede Box führt das Funkprotokoll der Firmware aus; Webseite, Speicher und Energieverwaltung sind vereinfacht.",
    ),
    "kind_stock": (
        "For comparison: each box is an ordinary Meshtastic radio without receipts, repetition or priorities.",
        "Zum Vergleich: Jede Box ist ein gewöhnliches Meshtastic-Funkgerät ohne Quittungen, Wiederholung und Vorrang.",
    ),
    "paced": (
        "At the clock's pace ({speed} times real time), with the real gateway program.",
        "Im Takt der Uhr ({speed}-fache Echtzeit), mit dem echten Gateway-Programm.",
    ),
    "paced_calls": (
        "Its database holds {stored} calls for help; the city received {city} of them, half of them within {half}.",
        "Seine Datenbank enthält {stored} Hilferufe; bei der Stadt kamen {city} an, die Hälfte innerhalb von {half}.",
    ),
    "verdict_none": ("Nobody asked for help in this scenario.", "In diesem Szenario rief niemand um Hilfe."),
    "verdict_all": (
        "Every call for help that a box accepted reached the district.",
        "Jeder Hilferuf, den eine Box angenommen hat, hat den Bezirk erreicht.",
    ),
    "verdict_under_way": (
        "No accepted call for help was lost; {count} were still on their way when the run ended.",
        "Kein angenommener Hilferuf ging verloren; {count} waren am Ende noch unterwegs.",
    ),
    "verdict_lost": (
        "{lost} of {accepted} accepted calls for help did not reach the district. The reasons stand below.",
        "{lost} von {accepted} angenommenen Hilferufen haben den Bezirk nicht erreicht. Die Gründe stehen unten.",
    ),
    "verdict_broken": (
        "Broken rules seen by the referee: {count}; see “What went wrong”.",
        "Regelverstöße, die der Schiedsrichter sah: {count}; siehe „Was schiefging“.",
    ),
    "verdict_refused": (
        "{count} people were refused at once and told so.",
        "{count} Menschen wurden sofort abgewiesen und erfuhren das.",
    ),
    "verdict_refused_one": (
        "One person was refused at once and told so.",
        "Ein Mensch wurde sofort abgewiesen und erfuhr das.",
    ),
    "figure_delivered": ("accepted calls delivered", "angenommene Hilferufe zugestellt"),
    "of": ("{part} of {all}", "{part} von {all}"),
    "figure_half": ("half of the calls were there within", "die Hälfte der Rufe war da nach"),
    "figure_p99": ("99 of 100 calls were there within", "99 von 100 Rufen waren da nach"),
    "figure_duty": (
        "busiest hour of any radio (10 % are allowed)",
        "vollste Stunde eines Funkgeräts (erlaubt: 10 %)",
    ),
    "figure_dark": ("boxes whose battery ran empty", "Boxen mit leerem Akku"),
    "figure_readings": ("of the readings arrived", "der Messwerte kamen an"),
    # Calls
    "calls": ("Calls for help", "Hilferufe"),
    "calls_by_hour": ("Calls for help by hour", "Hilferufe nach Stunden"),
    "asked": ("asked", "gefragt"),
    "accepted": ("accepted", "angenommen"),
    "delivered": ("delivered", "zugestellt"),
    "not_yet": ("accepted, not delivered", "angenommen, nicht zugestellt"),
    "refused": ("refused", "abgewiesen"),
    "delay_by_hour": (
        "From the box to the district, by the hour in which the call was accepted",
        "Von der Box zum Bezirk, nach der Stunde der Annahme",
    ),
    "median": ("half within", "die Hälfte nach"),
    "p95": ("95 of 100 within", "95 von 100 nach"),
    "p99": ("99 of 100 within", "99 von 100 nach"),
    "longest": ("longest", "längstens"),
    "log_scale": ("Each line up is about ten times as long.", "Jede Linie nach oben ist etwa zehnmal so lang."),
    "until_gateway": ("until a gateway had the call", "bis ein Gateway den Ruf hatte"),
    "until_seen": ("until the resident could see that", "bis der Mensch das sehen konnte"),
    "why": ("What was refused or lost, and why", "Was abgewiesen wurde oder verloren ging, und warum"),
    "why_none": ("No call was refused or lost.", "Kein Ruf wurde abgewiesen oder ging verloren."),
    "reason": ("reason", "Grund"),
    "times": ("times", "Anzahl"),
    "lost_calls": ("Each lost call", "Jeder verlorene Ruf"),
    "when": ("when", "wann"),
    "box": ("box", "Box"),
    "people": (
        "{asked} people asked, {cancelled} withdrew their call. Languages: {languages}.",
        "{asked} Menschen riefen, {cancelled} zogen ihren Ruf zurück. Sprachen: {languages}.",
    ),
    # Map
    "map": ("Where the boxes stand and over whom they talk", "Wo die Boxen stehen und über wen sie funken"),
    "map_legend": (
        (
            "The number in a box is its distance from a gateway in radio hops. Strong lines: the way over which it is"
            " reached; thin lines: other links, the thicker the more frames they carried."
        ),
        (
            "Die Zahl in einer Box ist ihr Abstand vom Gateway in Funkstrecken. Kräftige Linien: der Weg, auf dem sie"
            " erreicht wird; dünne Linien: andere Verbindungen, je dicker, desto mehr Funkpakete."
        ),
    ),
    "legend_gateway": ("gateway", "Gateway"),
    "legend_box": ("box, with hops", "Box, mit Strecken"),
    "legend_unreached": ("box without a way", "Box ohne Weg"),
    "legend_trouble": ("ring: went dark or lost a call", "Ring: dunkel oder Ruf verloren"),
    "legend_other": ("other devices", "andere Geräte"),
    "hops_count": ("{count} boxes at {hops} hops", "{count} Boxen mit {hops} Strecken"),
    "hops_count_one": ("{count} boxes reach a gateway directly", "{count} Boxen erreichen ein Gateway direkt"),
    "unreached": (
        "No link towards a gateway carried frames from: {names}.",
        "Keine Verbindung zu einem Gateway trug Funkpakete von: {names}.",
    ),
    "all_boxes": ("All boxes", "Alle Boxen"),
    "hops": ("hops", "Strecken"),
    "frames": ("frames sent", "Funkpakete"),
    "busiest_hour": ("busiest hour", "vollste Stunde"),
    "charge_end": ("charge at the end", "Ladung am Ende"),
    "dark_hours": ("hours dark", "Stunden dunkel"),
    "position": ("east/north (m)", "Ost/Nord (m)"),
    # Air
    "air": ("How full the air is", "Wie voll der Funkkanal ist"),
    "air_rule": (
        "By law each radio may be on the air 10 % of any hour. A bar is a radio's busiest hour; the mark is the limit.",
        (
            "Jedes Funkgerät darf in jeder Stunde höchstens 10 % senden. Ein Balken zeigt seine vollste Stunde,"
            " der Strich die Grenze."
        ),
    ),
    "busiest_boxes": ("The {count} busiest of {all} boxes", "Die {count} am stärksten belasteten von {all} Boxen"),
    "airtime_for": ("airtime of all radios for", "Sendezeit aller Geräte für"),
    "seconds": ("seconds", "Sekunden"),
    "share": ("share", "Anteil"),
    "fate": ("a frame at a neighbour", "ein Funkpaket beim Nachbarn"),
    "readings": (
        (
            "Readings: {made} taken, {delivered} arrived ({ratio}), {waiting} were still waiting for a full frame;"
            " {each} of airtime for each, all repeaters included."
        ),
        (
            "Messwerte: {made} genommen, {delivered} angekommen ({ratio}), {waiting} warteten in einer Box noch auf ein"
            " volles Funkpaket; {each} Sendezeit für jeden, alle Weiterleitungen eingerechnet."
        ),
    ),
    # Energy
    "energy": ("Does the energy last", "Reicht die Energie"),
    "energy_mean": (
        "On average a box drew {drawn} Wh and its panel gave {harvested} Wh.",
        "Im Mittel verbrauchte eine Box {drawn} Wh, ihr Modul lieferte {harvested} Wh.",
    ),
    "charge": ("Charge of the batteries", "Ladung der Akkus"),
    "charge_legend": (
        "Line: mean of all boxes; band: from the emptiest to the fullest.",
        "Linie: Mittel aller Boxen; Band: von der leersten bis zur vollsten.",
    ),
    "least": ("least", "kleinste"),
    "mean": ("mean", "mittlere"),
    "most": ("most", "größte"),
    "emptiest": ("The {count} emptiest of {all} boxes at the end", "Die {count} leersten von {all} Boxen am Ende"),
    "dark": ("{hours} h dark", "{hours} h dunkel"),
    "switched": (
        "What boxes switched off and on to save energy ({count})",
        "Was Boxen ab- und anschalteten, um Energie zu sparen ({count})",
    ),
    # Events
    "wrong": ("What went wrong", "Was schiefging"),
    "happened": ("What happened", "Was geschah"),
    "referee_bad": (
        "The referee watches every frame and every promise from outside. Broken rules: {count}.",
        "Der Schiedsrichter prüft jedes Funkpaket und jede Zusage von außen. Regelverstöße: {count}.",
    ),
    "referee_good": (
        (
            "The referee, who watches every frame and every promise from outside, saw no rule broken: nobody above"
            " 10 % of an hour, no accepted call lost, no reading sent before a call, no words of a call readable."
        ),
        (
            "Der Schiedsrichter, der jedes Funkpaket und jede Zusage von außen prüft, sah keinen Verstoß: niemand über"
            " 10 % einer Stunde, kein angenommener Ruf verloren, kein Messwert vor einem Ruf, kein Wort lesbar."
        ),
    ),
    # Assumptions
    "assumptions": ("What this rests on", "Worauf das beruht"),
    "a_radio": ("Radio", "Funk"),
    "a_radio_value": (
        "{preset}, {power} dBm, up to {hops} hops, antennas {dbi} dBi",
        "{preset}, {power} dBm, bis zu {hops} Strecken, Antennen {dbi} dBi",
    ),
    "a_air": ("Propagation", "Ausbreitung"),
    "a_air_value": (
        "{model}, fading {fading} dB, city noise {noise} dB above the receiver's own",
        "{model}, Schwund {fading} dB, Störpegel der Stadt {noise} dB über dem Empfängerrauschen",
    ),
    "a_frames": ("Losses", "Verluste"),
    "a_frames_value": (
        "frame errors over signal-to-noise by a published closed form; colliding frames by power and timing",
        "Paketfehler über dem Rauschabstand nach veröffentlichter Formel; Kollisionen nach Pegel und Zeitpunkt",
    ),
    "a_time": ("Time", "Zeit"),
    "a_time_value": (
        "a processor's computing takes none here; everything on the air, in the flash and on the page does",
        "Rechnen kostet hier keine; alles im Funk, im Flash und auf der Seite kostet die seine",
    ),
    "a_model": ("Limits", "Grenzen"),
    "a_model_value": (
        "a simulation shows how a plan behaves under these assumptions; it does not replace measuring on the roofs",
        (
            "Eine Simulation zeigt, wie ein Plan sich unter diesen Annahmen verhält; sie ersetzt keine Messung auf"
            " den Dächern"
        ),
    ),
    "a_same": ("Repeatable", "Wiederholbar"),
    "a_same_value": (
        "the same scenario and seed give the same {count} events, fingerprint {sha256}",
        "dasselbe Szenario mit demselben Startwert ergibt dieselben {count} Ereignisse, Prüfsumme {sha256}",
    ),
    # Compare
    "compare": ("Two runs compared", "Zwei Läufe im Vergleich"),
    "compare_run": (
        "{scenario} ({boxes} boxes, {kind}, {preset}, {hours} h, seed {seed})",
        "{scenario} ({boxes} Boxen, {kind}, {preset}, {hours} h, Startwert {seed})",
    ),
    "compare_legend": ("Bold with a mark: better.", "Fett mit Haken: besser."),
    "compare_differ": (
        "The two runs differ in scenario, duration or seed; compare with care.",
        "Die Läufe unterscheiden sich in Szenario, Dauer oder Startwert; mit Vorsicht vergleichen.",
    ),
    "c_accepted": ("calls for help accepted", "angenommene Hilferufe"),
    "c_delivered": ("of them delivered", "davon zugestellt"),
    "c_lost": ("lost", "verloren"),
    "c_refused": ("refused with a reason", "mit Grund abgewiesen"),
    "c_p50": ("half of the calls delivered within", "die Hälfte der Rufe zugestellt nach"),
    "c_p95": ("95 of 100 within", "95 von 100 nach"),
    "c_p99": ("99 of 100 within", "99 von 100 nach"),
    "c_receipts": ("residents who could see that it arrived", "Menschen, die die Ankunft sehen konnten"),
    "c_readings": ("readings at a gateway", "Messwerte am Gateway"),
    "c_airtime": ("airtime for each delivered reading", "Sendezeit je zugestelltem Messwert"),
    "c_busiest": ("busiest hour of any station", "vollste Stunde eines Funkgeräts"),
    "c_mean_air": ("airtime of a box, mean", "Sendezeit einer Box im Mittel"),
    "c_frames": ("frames sent", "gesendete Funkpakete"),
    "c_broken": ("rules broken", "Regelverstöße"),
    "c_dark": ("boxes that went dark", "Boxen, die dunkel wurden"),
    "c_energy": ("energy drawn by a box", "Verbrauch einer Box"),
    # Place
    "place": ("{count} boxes for {area}", "{count} Boxen für {area}"),
    "place_cover": (
        "{count} boxes bring {share} of {area} within {walk} m of a box.",
        "{count} Boxen bringen {share} von {area} auf höchstens {walk} m an eine Box heran.",
    ),
    "place_no_cut": (
        "No single box cuts another off when it fails.",
        "Fällt eine einzelne Box aus, verliert keine andere ihren Weg.",
    ),
    "place_weakest_cut": (
        "The network can least afford to lose {name}: {count} other boxes lose the way to the gateway without it.",
        "Am wenigsten entbehrlich ist {name}: Ohne sie verlieren {count} andere Boxen den Weg zum Gateway.",
    ),
    "place_weakest_cut_one": (
        "The network can least afford to lose {name}: another box loses the way to the gateway without it.",
        "Am wenigsten entbehrlich ist {name}: Ohne sie verliert eine andere Box den Weg zum Gateway.",
    ),
    "place_weakest_cover": (
        "The box it can least afford to lose is {name}: {share} of the area would then have none within {walk} m.",
        "Am wenigsten entbehrlich ist {name}: Ohne sie hätten {share} des Gebiets keine Box im Umkreis von {walk} m.",
    ),
    "place_weakest_hops": (
        "The box it can least afford to lose is {name}: without it the way of {count} others gets longer.",
        "Am wenigsten entbehrlich ist {name}: Ohne sie wird der Weg von {count} anderen länger.",
    ),
    "place_covered": ("of the ground within {walk} m of a box", "der Fläche höchstens {walk} m von einer Box"),
    "place_hops": (
        "hops from the farthest box to the gateway",
        "Funkstrecken von der fernsten Box zum Gateway",
    ),
    "place_spare": (
        "of the boxes have two ways to the gateway or more",
        "der Boxen haben zwei oder mehr Wege zum Gateway",
    ),
    "place_where": ("Where", "Wo"),
    "place_legend": (
        (
            "Circles: {walk} m on foot. Lines: links with at least {margin} dB to spare, for roofs differ from the"
            " model; strong ones are the shortest ways. A ring marks boxes that others hang on."
        ),
        (
            "Kreise: {walk} m Fußweg. Linien: Verbindungen mit mindestens {margin} dB Reserve, denn Dächer weichen vom"
            " Modell ab; kräftige sind die kürzesten Wege. Ein Ring zeigt Boxen, an denen andere hängen."
        ),
    ),
    "place_adds": ("What each further box adds", "Was jede weitere Box bringt"),
    "place_if_lost": ("If a box fails", "Wenn eine Box ausfällt"),
    "place_if_lost_text": (
        "What the loss of each single box costs, the costliest first.",
        "Was der Ausfall jeder einzelnen Box kostet, der teuerste zuerst.",
    ),
    "place_cut_off": ("boxes cut off", "Boxen abgeschnitten"),
    "place_longer": ("longer way for", "längerer Weg für"),
    "place_uncovered": ("ground without a box", "Fläche ohne Box"),
    "place_scenario": ("For a scenario file", "Für eine Szenariodatei"),
    "rank": ("rank", "Rang"),
    "height": ("height (m)", "Höhe (m)"),
    "covered": ("covered so far", "bis dahin versorgt"),
    # Watch
    "watch_state": ("Hour {hour} of {hours}, {state}", "Stunde {hour} von {hours}, {state}"),
    "watch_starting": ("Starting …", "Es geht los …"),
    "watch_running": ("running", "läuft"),
    "watch_finished": ("finished", "beendet"),
    # What airtime is for
    "use_calls": ("calls for help", "Hilferufe"),
    "use_exercise": ("exercise calls", "Übungsrufe"),
    "use_receipts": ("receipts", "Quittungen"),
    "use_answers": ("answers", "Antworten"),
    "use_mode": ("mode", "Betriebsart"),
    "use_bulletins": ("bulletins", "Durchsagen"),
    "use_time": ("time", "Uhrzeit"),
    "use_results": ("command results", "Befehlsergebnisse"),
    "use_readings": ("readings", "Messwerte"),
    "use_health": ("box health", "Zustand der Boxen"),
    "use_kiezbox": ("other Kiezbox", "sonstiges Kiezbox"),
    "use_names": ("node names", "Gerätenamen"),
    "use_telemetry": ("readings for Meshtastic apps", "Messwerte für Meshtastic-Apps"),
    "use_texts": ("stock text messages", "Meshtastic-Textnachrichten"),
    "use_other": ("other devices", "andere Geräte"),
    # What becomes of a frame
    "fate_received": ("received", "empfangen"),
    "fate_collision": ("lost to a collision", "Kollision"),
    "fate_half_duplex": ("the neighbour was sending itself", "Nachbar sendete selbst"),
    "fate_receiver_held": ("the neighbour was following another", "Nachbar folgte einem anderen"),
    "fate_weak_signal": ("too weak", "zu schwach"),
    "fate_receiver_off": ("the neighbour was off", "Nachbar war aus"),
    "fate_other_preset": ("other radio settings", "andere Funkeinstellung"),
}

TONGUES: dict[str, tuple[str, str]] = {
    "ar": ("Arabic", "Arabisch"),
    "de": ("German", "Deutsch"),
    "de-LS": ("Easy German", "Leichte Sprache"),
    "en": ("English", "Englisch"),
    "fa": ("Persian", "Persisch"),
    "fr": ("French", "Französisch"),
    "pl": ("Polish", "Polnisch"),
    "ru": ("Russian", "Russisch"),
    "tr": ("Turkish", "Türkisch"),
    "uk": ("Ukrainian", "Ukrainisch"),
    "vi": ("Vietnamese", "Vietnamesisch"),
}
"""Languages in which people call."""
