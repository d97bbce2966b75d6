# SPDX-License-Identifier: Apache-2.0
"""A simulated Meshtastic 2.7 radio: a mesh node on the ether, and the stream API over TCP for which Meshtastic apps are
written.

The unmodified `meshtastic` package, its command line and the gateway connect to it as to a radio on a desk. What is
decided is in plain objects that are told the time (`device.py` and what it is made of); `server.py` does the TCP,
`process.py` starts it. Behaviour follows the firmware's 2.7.26 as read and measured, named in each file; no line of it
is copied.

Not here: flooding, acknowledgement and channel encryption, which are `kiezbox.protocol.mesh`; Bluetooth, GPS, MQTT,
display; direct messages under public keys (see `device.py`, rule 5).
"""
