# SPDX-License-Identifier: Apache-2.0
"""Board revisions as data, one file each: pins, radio, battery. No code; main.py chooses one."""
