# SPDX-License-Identifier: Apache-2.0
"""What is built at each site, and that each has what belongs to it."""

from kiezbox_simulator.scenario.nodes import STRANGER_HOP_LIMIT
from kiezbox_simulator.scenario.simulation import Simulation
from kiezbox_simulator.virtual.core_box import CoreBox
from kiezbox_simulator.virtual.gateway import Gateway
from kiezbox_simulator.virtual.stock_node import StockNode


def test_each_site_gets_its_kind(small):
    simulation = Simulation(small(strangers={"count": 2}, gateways={"count": 2}), 1)
    assert {type(box) for box in simulation.boxes.values()} == {CoreBox}
    assert {type(gateway) for gateway in simulation.gateways.values()} == {Gateway}
    assert len(simulation.gateways) == 2
    assert {type(stranger) for stranger in simulation.strangers.values()} == {StockNode}


def test_a_stock_radio_in_the_place_of_a_box_is_no_stranger(small):
    simulation = Simulation(small(boxes={"kind": "stock", "count": 3}, strangers={"count": 1}), 1)
    assert {type(box) for box in simulation.boxes.values()} == {StockNode}
    assert len(simulation.strangers) == 1
    assert STRANGER_HOP_LIMIT == 3
