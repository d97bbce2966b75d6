# SPDX-License-Identifier: Apache-2.0
"""Everything said on the air, decided without any I/O.

State machines that are told the time and handed bytes. The package owns no clock, radio, file, log or source of
chance, and
runs unchanged on MicroPython and CPython. Used by the box, the gateway and the simulator.
"""
