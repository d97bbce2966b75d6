# SPDX-License-Identifier: Apache-2.0
"""Texts of stock devices: which class towards the city. Nobody has proven who sent them, and anybody may send many.

1. They go behind every proven call, whatever their number.
2. The first text of a sender within an hour is no surplus, nor are the next, until it has sent PER_SENDER_MAX or all
   senders together ALL_MAX.
3. Whatever is more goes behind everything but readings. It is stored, handed on, shown, counted and raised as an
   alarm; nothing is dropped.

A sender is a node number, which anybody can invent: a sender who takes a new one for each text stays in front of other
texts, never of proven calls. Called by `messages`, inside its transaction, so that a restart forgets nothing.
"""

import sqlite3

from kiezbox_gateway.store.rows import CLASS_OF_KIND, NewMessage, OutboxClass

PER_SENDER_MAX = 6
ALL_MAX = 120
HOUR_MS = 3_600_000
QUERY = (
    "SELECT count(*) FILTER (WHERE node_num = ?), count(*) FILTER (WHERE class = ?) FROM message"
    " INDEXED BY message_kept WHERE kind IN ('call', 'exercise', 'button') AND kind = 'call' AND verified = 0"
    " AND received_ms BETWEEN ? AND ?"
)


def outbox_class(connection: sqlite3.Connection, message: NewMessage) -> OutboxClass:
    """Of a message that is about to be stored."""
    if message.kind != "call" or message.verified:
        return CLASS_OF_KIND[message.kind]
    since_ms = message.received_ms - HOUR_MS
    parameters = (message.node_num, int(OutboxClass.TEXT), since_ms, message.received_ms)
    of_sender, of_all = connection.execute(QUERY, parameters).fetchone()
    if of_sender and (of_sender >= PER_SENDER_MAX or of_all >= ALL_MAX):
        return OutboxClass.SURPLUS
    return OutboxClass.TEXT
