# SPDX-License-Identifier: Apache-2.0
"""Who may do what over HTTP: roles of tokens, sessions of the page, names of this host, pace of attempts and orders.

The API takes a bearer token and no cookie, the page a session cookie and no token; so no other site can make a browser
act on the API. Forms carry a secret of their session besides. `server` asks these questions; nothing here answers.
"""

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from kiezbox_gateway.tokens import Role, TokenList

SESSION_S = 12 * 3600
SESSIONS_MAX = 64
SESSION_COOKIE = "kiezbox_session"
# Failed attempts and orders: so many at once, then one in so many seconds.
ATTEMPTS_BURST, ATTEMPT_PAUSE_S = 10, 2.0
ORDERS_BURST, ORDER_PAUSE_S = 20, 3.0
BUCKETS_MAX = 256


@dataclass(frozen=True)
class Caller:
    """Whose request this is. `name` is that of the token; `form_secret` is set for a session of the page."""

    name: str
    role: Role
    form_secret: str | None = None


@dataclass(frozen=True)
class _Session:
    name: str
    digest: str
    form_secret: str
    ends_s: float


class Pace:
    """A token bucket for each key. The number of keys is bounded: the one refilled longest ago goes first."""

    def __init__(self, burst: int, pause_s: float) -> None:
        self._burst, self._pause_s = burst, pause_s
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now_s: float) -> float:
        """0 when it may go on, otherwise how many seconds to wait."""
        level, at_s = self._levels.pop(key, (float(self._burst), now_s))
        level = min(self._burst, level + (now_s - at_s) / self._pause_s)
        allowed = level >= 1
        self._levels[key] = (level - 1 if allowed else level, now_s)
        while len(self._levels) > BUCKETS_MAX:
            del self._levels[next(iter(self._levels))]
        return 0.0 if allowed else (1 - level) * self._pause_s


class Access:
    """One for each server."""

    def __init__(self, tokens: TokenList, hosts: Iterable[str]) -> None:
        self.attempts = Pace(ATTEMPTS_BURST, ATTEMPT_PAUSE_S)
        self.orders = Pace(ORDERS_BURST, ORDER_PAUSE_S)
        self._tokens = tokens
        self._hosts = {host.lower() for host in hosts} | {"localhost"}
        self._sessions: dict[str, _Session] = {}

    def by_token(self, authorization: str) -> Caller | None:
        """The caller of an Authorization header."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = self._tokens.find(given.strip())
        return None if token is None else Caller(token.name, token.role)

    def open_session(self, given: str) -> str | None:
        """A session for a token typed into the page: what the cookie holds. None for a wrong one."""
        token = self._tokens.find(given.strip())
        if token is None:
            return None
        now_s = time.monotonic()
        for key in [key for key, session in self._sessions.items() if session.ends_s <= now_s]:
            del self._sessions[key]
        while len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        cookie = secrets.token_urlsafe(32)
        self._sessions[_digest(cookie)] = _Session(
            token.name, token.digest, secrets.token_urlsafe(24), now_s + SESSION_S
        )
        return cookie

    def by_session(self, cookie: str) -> Caller | None:
        """The caller of a session cookie. A token that was revoked ends its sessions."""
        session = self._sessions.get(_digest(cookie))
        if session is None or session.ends_s <= time.monotonic():
            return None
        token = self._tokens.by_digest(session.digest)
        return None if token is None else Caller(token.name, token.role, session.form_secret)

    def close_session(self, cookie: str) -> None:
        """Sign out."""
        self._sessions.pop(_digest(cookie), None)

    def knows_host(self, host_header: str) -> bool:
        """Whether a Host header is one of ours: an address, or a name that we know. Others may point theirs at us."""
        name = host_header.strip().lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") == 1:
            name = name.partition(":")[0]
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def is_form_of(caller: Caller, given: str) -> bool:
    """Whether a form was made for this session."""
    return caller.form_secret is not None and hmac.compare_digest(
        given.encode(errors="surrogateescape"), caller.form_secret.encode()
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
