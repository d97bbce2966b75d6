# SPDX-License-Identifier: Apache-2.0
"""The gateway as it is installed, beside simulated boxes: its folder with keys, its process, its radio, the city's
broker and subscriber, and the line between them, which can be cut.

The demo and paced scenarios stand on it. Nothing of the gateway is imported: it is run as a command, asked over HTTP,
and its database is read as a file.
"""
