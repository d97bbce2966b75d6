# SPDX-License-Identifier: Apache-2.0
"""Puts virtual time in the place of the built-in modules. Import this before anything that imports asyncio, time,
select or socket.

The built-in `random` and `os.urandom` stay reachable but no firmware path uses them here: entropy comes through the
ports.
"""

import sys

import virtual_clock
import virtual_select
import virtual_socket
import virtual_tasks

sys.modules["time"] = virtual_clock
sys.modules["select"] = virtual_select
sys.modules["socket"] = virtual_socket
sys.modules["_asyncio"] = virtual_tasks
