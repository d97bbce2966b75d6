# SPDX-License-Identifier: Apache-2.0
"""What a person has to see to: the one list behind the page, `status`, the API, the metrics and the log.

`judge` decides from plain facts, `look` gathers them from a running gateway, `watch` logs what comes and goes. Each
alarm has a row in docs/gateway.md that says what to do; a test holds both together.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from cryptography import x509

from kiezbox_gateway import blackout, box_faults, clock
from kiezbox_gateway.blackout import Proposal
from kiezbox_gateway.box_faults import FaultyBox
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.job_watch import SUPERSEDED
from kiezbox_gateway.language import text
from kiezbox_gateway.store import backup
from kiezbox_gateway.store.rows import OutboxClass, StoreError

CITY_AWAY_S = 300
RADIO_AWAY_S = 60
CALL_UNREAD_S = 900
CALL_WAITING_S = 600
BACKUP_OLD_S = 2 * 86_400
INCIDENT_S = 7 * 86_400
ANSWER_LOST_S = 86_400
CERTIFICATE_S = 30 * 86_400
WATCH_PAUSE_S = 30.0

log = structlog.get_logger(part="alarms")


@dataclass(frozen=True)
class Kind:
    """`urgent`: somebody's call for help is, or may be, without help. The sentences are English keys of `language`."""

    urgent: bool
    sentence: str
    advice: str


# In the order in which they are shown: people first.
KINDS: dict[str, Kind] = {
    "call_unread": Kind(True, "Calls for help that nobody has read", "read and answer them"),
    "call_not_at_city": Kind(
        True, "Calls for help that the city does not have yet", "read them here and pass them on by radio or in person"
    ),
    "answer_not_delivered": Kind(
        True, "Answers that did not reach their box", "tell these people another way, or answer again"
    ),
    "call_in_box": Kind(
        True,
        "Calls for help that a box has and nobody else",
        "go there and ask who needs help; bring a gateway or another box near it",
    ),
    "blackout_proposed": Kind(
        True,
        "Boxes report that the power is out",
        "find out whether it is true; no box switches by itself. To switch all: kiezbox gateway mode emergency",
    ),
    "texts_surplus": Kind(
        False,
        "Unread texts from radios, more in an hour than a sender or all together have",
        "look through them behind the other calls; if it is abuse, give the channel a new key",
    ),
    "radio_away": Kind(True, "The radio is away: no box can be heard", "check cable, power and antenna of the radio"),
    "radio_contended": Kind(
        True, "Another program uses the radio", "close the Meshtastic app or whatever is connected to this radio"
    ),
    "radio_settings": Kind(
        True, "The radio's settings do not fit", "set radio.setup = true, or change them with the Meshtastic app"
    ),
    "gateway_number_taken": Kind(
        True,
        "Another gateway of the district has the same gateway.number",
        "stop one of them, give it another gateway.number (0 to 7) and start it again",
    ),
    "store_failed": Kind(True, "Messages cannot be stored", "the disk is full, read-only or broken; see `doctor`"),
    "disk_low": Kind(False, "The disk is nearly full: readings are refused", "make room on the disk"),
    "disk_reserve_gone": Kind(True, "The disk's reserve for calls is used up", "make room on the disk at once"),
    "city_away": Kind(False, "The city cannot be reached", "nothing is lost; check network and broker if it lasts"),
    "city_refused": Kind(
        False, "The city's broker refuses messages", "ask the city's operators about the access list of this gateway"
    ),
    "certificate_expires": Kind(
        False, "The certificate for the city ends soon", "ask the city for a new one and put it in the old one's place"
    ),
    "clock_not_in_step": Kind(
        False, "The clock is not in step with NTP", "enable NTP (timedatectl set-ntp true); boxes are not told the time"
    ),
    "box_silent": Kind(False, "Boxes that are not heard any more", "look after them: battery, panel, antenna"),
    "box_faulty": Kind(
        False,
        "Boxes report that a part fails, or that they cannot send",
        "look after them; start them again when nobody needs them",
    ),
    "key_change_open": Kind(
        False, "A box has not taken its new key yet", "wait until it is heard again, or bring the key to it by cable"
    ),
    "restart_needed": Kind(False, "Files were changed after the start", "restart the gateway when it suits"),
    "store_restored": Kind(
        False, "The database was restored from a backup", "compare the newest calls with the city; replace the disk"
    ),
    "readings_thinned": Kind(
        False, "Old readings were thinned, because too many wait for the city", "find out why the city is away so long"
    ),
    "backup_old": Kind(False, "The newest backup is older than two days", "look at the log and at the free disk space"),
}


@dataclass(frozen=True)
class Alarm:
    """One that is raised now. `detail` has counts and names of boxes or settings, nothing that a resident wrote."""

    name: str
    detail: str = ""

    @property
    def urgent(self) -> bool:
        """Whether somebody's call may be without help."""
        return KINDS[self.name].urgent

    @property
    def sentence(self) -> str:
        """What is wrong, in the reader's language."""
        return text(KINDS[self.name].sentence)

    @property
    def advice(self) -> str:
        """What to do about it."""
        return text(KINDS[self.name].advice)


@dataclass(frozen=True)
class Facts:
    """What is judged. Ages in seconds, None: there is none. Lists hold names of boxes, `calls_kept` counts by name."""

    radio_ready: bool = True
    radio_state_s: float = 0.0
    radio_contended: bool = False
    radio_differences: tuple[str, ...] = ()
    number_taken: bool = False
    store_alarm: str | None = None
    disk_low: bool = False
    disk_has_reserve: bool = True
    city_connected: bool = True
    city_since_s: float = 0.0
    city_refused: int = 0
    certificate_left_s: float | None = None
    clock_wanted: bool = False
    clock_quality: int = 2
    calls_unread: int = 0
    calls_not_at_city: int = 0
    answers_lost: int = 0
    texts_surplus: int = 0
    blackout_proposed: tuple[Proposal, ...] = ()
    boxes_silent: tuple[str, ...] = ()
    boxes_faulty: tuple[FaultyBox, ...] = ()
    calls_kept: dict[str, int] = field(default_factory=dict)
    keys_open: tuple[str, ...] = ()
    files_changed: tuple[str, ...] = ()
    incidents: frozenset[str] = frozenset()
    backup_age_s: float | None = None
    uptime_s: float = 0.0


def judge(facts: Facts) -> list[Alarm]:
    """The alarms of these facts, in the order of KINDS."""
    raised: dict[str, str] = {}
    counts = (
        ("call_unread", facts.calls_unread),
        ("call_not_at_city", facts.calls_not_at_city),
        ("answer_not_delivered", facts.answers_lost),
        ("texts_surplus", facts.texts_surplus),
        ("city_refused", facts.city_refused),
    )
    raised |= {name: str(count) for name, count in counts if count}
    lists = (
        ("radio_settings", facts.radio_differences),
        ("call_in_box", tuple(f"{name}: {count}" for name, count in facts.calls_kept.items())),
        ("box_silent", facts.boxes_silent),
        ("box_faulty", tuple(map(_complaint, facts.boxes_faulty))),
        ("key_change_open", facts.keys_open),
        ("restart_needed", facts.files_changed),
    )
    raised |= {name: _listed(values) for name, values in lists if values}
    if facts.blackout_proposed:
        raised["blackout_proposed"] = _reasons(facts.blackout_proposed)
    backup_age_s = facts.uptime_s if facts.backup_age_s is None else facts.backup_age_s
    plain = (
        ("radio_away", not facts.radio_ready and facts.radio_state_s >= RADIO_AWAY_S),
        ("radio_contended", facts.radio_contended),
        ("gateway_number_taken", facts.number_taken),
        ("store_failed", facts.store_alarm is not None),
        ("disk_low", facts.disk_low),
        ("disk_reserve_gone", not facts.disk_has_reserve),
        ("city_away", not facts.city_connected and facts.city_since_s >= CITY_AWAY_S),
        ("certificate_expires", facts.certificate_left_s is not None and facts.certificate_left_s < CERTIFICATE_S),
        ("clock_not_in_step", facts.clock_wanted and not facts.clock_quality),
        ("store_restored", "restored" in facts.incidents),
        ("readings_thinned", "readings_thinned" in facts.incidents),
        ("backup_old", backup_age_s > BACKUP_OLD_S),
    )
    raised |= {name: "" for name, wrong in plain if wrong}
    if "certificate_expires" in raised and facts.certificate_left_s is not None:
        raised["certificate_expires"] = text("{days} days left", days=int(facts.certificate_left_s // 86_400))
    if facts.store_alarm is not None:
        raised["store_failed"] = facts.store_alarm
    return [Alarm(name, raised[name]) for name in KINDS if name in raised]


def _reasons(proposals: tuple[Proposal, ...]) -> str:
    """How many boxes say so for which reason, and which."""
    lost = [each.name for each in proposals if each.grid_lost]
    silent = [each.name for each in proposals if not each.grid_lost]
    parts = []
    if lost:
        parts.append(text("{count} see no mains ({boxes})", count=len(lost), boxes=_listed(lost)))
    if silent:
        parts.append(text("{count} hear nobody ({boxes})", count=len(silent), boxes=_listed(silent)))
    return "; ".join(parts)


def _complaint(box: FaultyBox) -> str:
    """A box and what it says of itself."""
    parts = [text(part) for part in box.parts]
    if box.unsent:
        parts.append(text("{count} messages not sent", count=box.unsent))
    return f"{box.name} ({'; '.join(parts)})"


def _listed(values: Iterable[str], most: int = 5) -> str:
    found = list(values)
    more = f" (+{len(found) - most})" if len(found) > most else ""
    return ", ".join(found[:most]) + more


async def look(gateway: Gateway) -> list[Alarm]:
    """The alarms of a running gateway now. A store that does not answer is one of them."""
    now_s = time.time()
    now_ms = int(now_s * 1000)
    link, city, settings = gateway.link.status, gateway.city.status, gateway.configuration
    store_alarm = gateway.custody.status.alarm
    unread = late = lost = refused = surplus = 0
    proposed: list[Proposal] = []
    faulty: list[FaultyBox] = []
    kept: dict[str, int] = {}
    heard: dict[int, int] = {}
    incidents: frozenset[str] = frozenset()
    try:
        ((unread, late, surplus),) = await gateway.store.rows(
            "SELECT count(*) FILTER (WHERE c.stage < 4 AND m.received_ms < ?1 AND m.class <> ?2),"
            " count(*) FILTER (WHERE m.confirmed_ms IS NULL AND m.received_ms < ?3),"
            " count(*) FILTER (WHERE c.stage < 4 AND m.received_ms > ?4 AND m.class = ?2)"
            " FROM call c JOIN message m ON m.sequence = c.message_sequence WHERE m.kind = 'call' AND c.action < 2",
            (
                now_ms - CALL_UNREAD_S * 1000,
                int(OutboxClass.SURPLUS),
                now_ms - CALL_WAITING_S * 1000,
                now_ms - INCIDENT_S * 1000,
            ),
        )
        ((lost,),) = await gateway.store.rows(
            "SELECT count(*) FROM job_box b JOIN job j ON j.number = b.job"
            " WHERE j.kind IN ('reply', 'text') AND b.state IN ('expired', 'refused') AND b.changed_ms > ?"
            " AND b.detail IS NOT ?",
            # What a later stage of the same call has made pointless did reach its box, with that one.
            (now_ms - ANSWER_LOST_S * 1000, SUPERSEDED),
        )
        proposed = await blackout.proposals(gateway, now_ms)
        faulty = await box_faults.faulty(gateway, now_ms)
        kept = await box_faults.calls_kept(gateway, now_ms)
        heard = {row[0]: row[1] for row in await gateway.store.rows("SELECT node_num, heard_ms FROM box")}
        refused = sum(city.set_aside.values())
        if refused and not await _waits_long(gateway, now_ms):
            # Taken at a later attempt.
            refused = 0
        rows = await gateway.store.rows(
            "SELECT DISTINCT name FROM incident WHERE at_ms > ?", (now_ms - INCIDENT_S * 1000,)
        )
        incidents = frozenset(row[0] for row in rows)
    except StoreError as error:
        store_alarm = store_alarm or error.reason
    silent_before_ms = now_ms - settings.boxes.silent_after_s * 1000
    started_ms = int(gateway.started_s * 1000)
    silent = [
        box.name
        for node_num, box in sorted(gateway.boxes.items())
        if max(heard.get(node_num) or 0, started_ms if node_num not in heard else 0) < silent_before_ms
    ]
    from_disk = await asyncio.to_thread(_from_disk, gateway, now_s)
    return judge(
        Facts(
            radio_ready=link.state == "ready",
            radio_state_s=(time.monotonic_ns() // 1_000_000 - link.since_ms) / 1000,
            radio_contended=link.contended,
            radio_differences=tuple(link.differences) if link.state == "ready" else (),
            number_taken="gateway_number_taken" in gateway.endpoint.counters,
            store_alarm=store_alarm,
            disk_low=gateway.disk.low,
            disk_has_reserve=gateway.disk.has_reserve or not gateway.disk.low,
            city_connected=city.connected,
            city_since_s=now_s - city.since_s,
            city_refused=refused,
            certificate_left_s=from_disk.certificate_left_s,
            clock_wanted=settings.clock.trust == "kernel",
            clock_quality=from_disk.clock_quality,
            calls_unread=unread,
            calls_not_at_city=late,
            answers_lost=lost,
            texts_surplus=surplus,
            blackout_proposed=tuple(proposed),
            boxes_silent=tuple(silent),
            boxes_faulty=tuple(faulty),
            calls_kept=kept,
            keys_open=tuple(box.name for box in gateway.boxes.values() if box.next_root_key is not None),
            files_changed=from_disk.files_changed,
            incidents=incidents,
            backup_age_s=from_disk.backup_age_s,
            uptime_s=now_s - gateway.started_s,
        )
    )


async def _waits_long(gateway: Gateway, now_ms: int) -> bool:
    """Whether some message waits for the city for longer than a call may. One look into the index for each class."""
    for each in OutboxClass:
        rows = await gateway.store.rows(
            "SELECT received_ms FROM message INDEXED BY message_waiting"
            " WHERE confirmed_ms IS NULL AND class = ? ORDER BY sequence LIMIT 1",
            (int(each),),
        )
        if rows and rows[0][0] < now_ms - CALL_WAITING_S * 1000:
            return True
    return False


@dataclass(frozen=True)
class _FromDisk:
    certificate_left_s: float | None
    clock_quality: int
    files_changed: tuple[str, ...]
    backup_age_s: float | None


def _from_disk(gateway: Gateway, now_s: float) -> _FromDisk:
    settings = gateway.configuration
    changed = []
    for path in (settings.boxes.file, settings.boxes.district_key_file, settings.radio.channel_key_file):
        try:
            if path.stat().st_mtime > gateway.files_read_s:
                changed.append(path.name)
        except OSError:
            changed.append(path.name)
    backups = backup.newest_first(gateway.store.folder)
    age_s = now_s - backups[0].stat().st_mtime if backups else None
    return _FromDisk(
        certificate_left_s(settings.city.certificate_file, now_s),
        clock.quality(settings.clock.trust),
        tuple(changed),
        age_s,
    )


def certificate_left_s(path: Path | None, now_s: float) -> float | None:
    """Seconds until the first certificate of a PEM file ends (negative: over); None without one that can be read."""
    if path is None:
        return None
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return None
    return min(each.not_valid_after_utc.timestamp() for each in certificates) - now_s


class Watch:
    """Logs each alarm when it comes and when it goes. A duty of `upkeep`."""

    def __init__(self) -> None:
        self._before: set[str] = set()

    async def look(self, gateway: Gateway) -> None:
        """Compare with the time before."""
        raised = {alarm.name for alarm in await look(gateway)}
        for name in sorted(raised - self._before):
            if KINDS[name].urgent:
                log.critical("alarm_raised", alarm=name)
            else:
                log.warning("alarm_raised", alarm=name)
        for name in sorted(self._before - raised):
            log.info("alarm_cleared", alarm=name)
        self._before = raised
