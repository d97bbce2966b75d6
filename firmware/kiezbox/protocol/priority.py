# SPDX-License-Identifier: Apache-2.0
"""Who goes first: one set of ranks for the transmit queue and the airtime ledger, the most important lowest.

Not here: Meshtastic's own priority numbers, which are never on the air. Used by queue, ledger and both endpoints.
"""

OWN_EMERGENCY = 0
RELAYED_EMERGENCY = 1
RECEIPT = 2
COMMAND = 3
STRANGER = 4
READING = 5

NAMES = ("own_emergency", "relayed_emergency", "receipt", "command", "stranger", "reading")
"""For counters and reports, by rank."""
