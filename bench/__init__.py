# SPDX-License-Identifier: Apache-2.0
"""Measurements, never assertions: `make bench` writes build/bench/NAME.json for every module here that has `run`.

Machines are noisy, so what counts is a ratio to a peer measured in the same run, in turns with it. Nothing here is
imported by the product or run by the tests.
"""
