# SPDX-License-Identifier: Apache-2.0
"""Link to a stock Meshtastic radio by its stream API.

    framing    bytes <-> protobuf messages; sans-IO
    session    one connection's life as a state machine; sans-IO
    events     what it tells its owner
    budget     what may still be sent in the hour
    stream     TCP and serial byte streams for asyncio
    setup      what must be written to a radio until it fits the configuration; sans-IO
    link       the supervisor: opens, pumps, heals

Frames on the air and Kiezbox payloads are not interpreted here.
"""
