# SPDX-License-Identifier: Apache-2.0
"""Scenarios: what is built, what happens to it, who watches over it, and what a person is told about it afterwards.

Schema, world, referee, summary, report, comparison, placing. The physics is in `world`, time and nodes in `virtual`.
"""
