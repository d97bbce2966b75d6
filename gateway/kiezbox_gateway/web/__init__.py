# SPDX-License-Identifier: Apache-2.0
"""The page for staff and the HTTP API. It asks the gateway and decides nothing of its own.

server       routes, who may use them, errors, headers
connections  slow and idle clients
access       roles, sessions, known hosts, pace
request      what handlers share
api, orders  /api/v1: what is looked at, what is ordered
page, desk   the page: forms and HTML; what it says of calls
metrics      /metrics for Prometheus, /healthz, /readyz
"""
