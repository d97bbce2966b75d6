# SPDX-License-Identifier: Apache-2.0
"""Property tests try the same examples in every run, and a busy machine does not make them fail."""

from hypothesis import settings

settings.register_profile("kiezbox", derandomize=True, deadline=None)
settings.load_profile("kiezbox")
