# SPDX-License-Identifier: Apache-2.0
"""Virtual time: an event queue, the ether in it, and the nodes that live there.

Nodes come in two kinds behind one port (`station.py`): `core` (the protocol package in this process) and `vm` (the
firmware on MicroPython, in lock-step over pipes). Nothing here reads a clock or depends on how the operating system
schedules processes, so one scenario and seed give one trace. Called by `scenario`; the paced, real-time simulator is
the folder above.
"""
