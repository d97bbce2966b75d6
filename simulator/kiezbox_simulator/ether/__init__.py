# SPDX-License-Identifier: Apache-2.0
"""The radio channel as a process of its own: real LoRa frames between programs that connect over loopback TCP, in real
time.

Who hears what is decided by `virtual/ether.py`, the same code as in virtual time; here are its wall clock (`clock.py`),
the line protocol (`server.py`), what stands where (`street.py`) and the client for Python programs (`connection.py`).
Started as `python -m kiezbox_simulator.ether FILE`.
"""
