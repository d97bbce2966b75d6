# SPDX-License-Identifier: Apache-2.0
"""The demo: one call for help crosses a blackout, on real parts, told to somebody who sees it for the first time.

`story.py` is what happens and what is checked; `stage.py` sets up and starts everything; `narration.py` speaks. The
gateway takes part as the command `kiezbox gateway`, nothing of it is imported.
"""
