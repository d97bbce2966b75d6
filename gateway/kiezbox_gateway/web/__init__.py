# SPDX-License-Identifier: Apache-2.0
"""Status page and HTTP API.

server   listening, token, error answers, headers
api      /api/v1: boxes, messages, calls, jobs, mode, bulletins
page     the status page at /
metrics  /metrics for Prometheus, /healthz, /readyz
"""
