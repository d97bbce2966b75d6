# SPDX-License-Identifier: Apache-2.0
"""Why a box does not do what a person asked. The portal turns `reason` into a sentence."""


class Refused(Exception):  # noqa: N818 - the name says what happened
    """reason: rate_client, rate_box, too_long, empty, mode, full, unknown_code, bad_code. Nothing was changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
