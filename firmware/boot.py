# SPDX-License-Identifier: Apache-2.0
"""Runs on the board before main.py. The stock image starts at 160 MHz; signatures want more."""

import machine

machine.freq(240_000_000)
