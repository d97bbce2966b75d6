# SPDX-License-Identifier: Apache-2.0
"""The page that a resident sees: a small web server, a name server, texts in nine languages.

It holds no call and knows no radio; whatever it shows or takes goes through the `box` object. Nothing here is logged.
"""
