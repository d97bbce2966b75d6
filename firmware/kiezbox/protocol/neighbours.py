# SPDX-License-Identifier: Apache-2.0
"""Who is heard directly, how well and when: at most 16 nodes, the one not heard for longest forgotten. Called by
mesh.py.
"""

SIZE = 16


class Neighbours:
    """node number -> (rssi_dbm, snr_db, heard_ms)."""

    def __init__(self) -> None:
        self.nodes: dict[int, tuple[int, int, int]] = {}

    def heard(self, node_num: int, rssi_dbm: int, snr_db: int, now_ms: int) -> None:
        """A frame came from its originator itself."""
        if node_num not in self.nodes and len(self.nodes) >= SIZE:
            del self.nodes[min(self.nodes, key=lambda node: self.nodes[node][2])]
        self.nodes[node_num] = (rssi_dbm, snr_db, now_ms)
