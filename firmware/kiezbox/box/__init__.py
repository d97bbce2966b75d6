# SPDX-License-Identifier: Apache-2.0
"""What a box decides and keeps. Hardware-free: everything that touches the world comes in as a port (ports.py)."""
