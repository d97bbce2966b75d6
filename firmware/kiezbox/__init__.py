# SPDX-License-Identifier: Apache-2.0
"""Kiezbox: what runs on the box. `protocol` is shared with the gateway and the simulator."""

__version__ = "0.1.0"
