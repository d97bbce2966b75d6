# SPDX-License-Identifier: Apache-2.0
"""Runs the real firmware without hardware: alone or a whole district, in real or in virtual time.

`ether`, `stock_radio` and `demo` are processes in real time; `virtual`, `world` and `scenario` play days in seconds;
`vm` is the MicroPython side of a box without hardware. The gateway takes part as the command it is; nothing of it is
imported.
"""
