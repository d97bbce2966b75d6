# SPDX-License-Identifier: Apache-2.0
"""The gateway: takes messages from the mesh into custody, and hands them to the city.

    radio/          the stream API of a stock Meshtastic radio, over TCP or serial
    store/          SQLite: what was taken into custody, what the city has confirmed, what is to be sent to boxes
    city/           MQTT to the city's broker
    web/            status page and HTTP API
    command/        the command line (`kiezbox gateway ...`, `kiezbox frame ...`)
    configuration   the one schema of the one configuration file
    uplink          the second door, for boxes on Wi-Fi
    custody         verified, stored, acknowledged: in this order
    downlink        receipts, answers, commands, notices, time; with job_watch (boxes) and text_answers (stock devices)
    gateway         the parts and how they are joined
    process         runs them side by side

The frame and message formats are not here: they are in `kiezbox.protocol`, shared with the boxes.
"""
