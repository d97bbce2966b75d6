# SPDX-License-Identifier: Apache-2.0
"""`python -m kiezbox_simulator.stock_radio FILE`: see `process.py`."""

import sys

from kiezbox_simulator.stock_radio.process import main

sys.exit(main())
