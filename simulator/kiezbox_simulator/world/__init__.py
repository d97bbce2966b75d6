# SPDX-License-Identifier: Apache-2.0
"""What surrounds the boxes, as pure functions and small deterministic models: radio waves, sun, battery, weather,
people.

Nothing here keeps time, opens a file or knows a node. Chance comes from `chance.py` only, as a hash of the seed and
of what is being decided, so that no draw depends on the order of events. Called by `virtual` (the ether) and
`scenario`.
"""
