# SPDX-License-Identifier: Apache-2.0
"""To the city and back, over MQTT.

message    the documented JSON message: one encoder behind a small port, for other profiles later
schedule   which message goes next, how fast, when to try again; sans-IO
broker     one connection to a broker
sync       empties the outbox: publishes, waits for confirmation, marks
downlink   commands from the city
"""
