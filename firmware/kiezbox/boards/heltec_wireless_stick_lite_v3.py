# SPDX-License-Identifier: Apache-2.0
"""Heltec Wireless Stick Lite V3 (HTIT-WSL_V3): ESP32-S3 with SX1262, the board of the pilot.

GPIO numbers as in the maker's pin map and in Meshtastic's variant heltec_wsl_v3. Not yet tried on a board of ours.
"""

NAME = "Heltec Wireless Stick Lite V3"
FLASH_BYTES = 8 * 1024 * 1024

RADIO = {
    "chip": "SX1262",
    "sck_pin": 9,
    "mosi_pin": 10,
    "miso_pin": 11,
    "cs_pin": 8,
    "reset_pin": 12,
    "busy_pin": 13,
    "dio1_pin": 14,
    "dio2_is_rf_switch": True,
    "dio3_tcxo_mv": 1800,
    "power_max_dbm": 22,
}
"""power_max_dbm is the chip's limit; the band allows 27 dBm ERP."""

BATTERY = {
    "adc_pin": 1,
    "adc_enable_pin": 37,
    "adc_enable_level": 0,
    "divider_permille": 4900,
}
"""divider_permille: battery voltage over voltage at the pin, times 1000."""

BUTTON_PIN = 0
LED_PIN = 35
PERIPHERAL_POWER_PIN = 36
PERIPHERAL_POWER_LEVEL = 0
