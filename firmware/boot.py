# SPDX-License-Identifier: Apache-2.0
"""Runs on the board before main.py. The stock image starts at 160 MHz; signatures want more.

Collecting often keeps what lives long together, so that a large piece of the heap can still be had after days.
"""

import gc

import machine

gc.threshold(8192)

machine.freq(240_000_000)
