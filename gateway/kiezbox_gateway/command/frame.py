# SPDX-License-Identifier: Apache-2.0
"""`kiezbox frame`: read and make single Meshtastic frames, as bytes from the air in hexadecimal.

Formats only; everything that is right or wrong about a frame is in `kiezbox.protocol`.
"""

import base64
import binascii
import json
import sys
from typing import Annotated, Any

import typer

from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import (
    BROADCAST,
    FRAME_LENGTH_MAX,
    HEADER_LENGTH,
    FrameError,
    Header,
    decode_header,
    encode_header,
)
from kiezbox.protocol.packet import Data, decode_data, encode_data
from kiezbox_gateway.command import CommandError

app = typer.Typer(
    help="Read and make Meshtastic frames as they are on the air.", no_args_is_help=True, pretty_exceptions_enable=False
)

U32_MAX = 0xFFFFFFFF
# name -> (largest value, value when it is left out)
HEADER_FIELDS: dict[str, tuple[int, int | None]] = {
    "to": (U32_MAX, BROADCAST),
    "from": (U32_MAX, None),
    "id": (U32_MAX, None),
    "hop_limit": (7, 3),
    "hop_start": (7, None),
    "next_hop": (255, 0),
    "relay_node": (255, None),
}
FLAGS = ("want_ack", "via_mqtt")
FURTHER = ("want_response", "dest", "source", "request_id", "reply_id", "emoji", "bitfield")
REASONS = {
    "too_short": f"a frame has at least {HEADER_LENGTH} bytes",
    "too_large": f"the payload is too long; a whole frame holds at most {FRAME_LENGTH_MAX} bytes",
    "from_invalid": "the sender's number must not be 0 or ffffffff",
    "portnum_invalid": "portnum is a number from 1 to 511",
}

ChannelOption = Annotated[
    str, typer.Option("--channel", help="Channel name; part of the channel hash.", show_default=False)
]
KeyOption = Annotated[
    str,
    typer.Option(
        "--key",
        help="Channel key in base64, as the Meshtastic apps show it (AQ== is the default key).",
        show_default=False,
    ),
]


def _channel(name: str, key: str) -> Channel:
    try:
        psk = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise CommandError(
            "--key is not base64; the Meshtastic apps show a channel's key in this form, e.g. AQ=="
        ) from None
    try:
        return Channel(name, psk)
    except ValueError as error:
        raise CommandError(f"--key cannot be used: {error}") from None


def _hex(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise CommandError(f"{what} is not hexadecimal: it takes pairs of the digits 0-9 and a-f") from None


def _frame_error(error: FrameError) -> CommandError:
    return CommandError(REASONS.get(error.reason, f"not a valid frame ({error.reason})"))


def decode_frame(frame: bytes, channel: Channel, *, everything: bool = False) -> dict[str, Any]:
    """Fields of a frame; portnum and payload_hex are None where the key does not fit. Raises CommandError."""
    if not HEADER_LENGTH <= len(frame) <= FRAME_LENGTH_MAX:
        raise CommandError(f"a frame has {HEADER_LENGTH} to {FRAME_LENGTH_MAX} bytes, this has {len(frame)}")
    try:
        header = decode_header(frame)
    except FrameError as error:
        raise _frame_error(error) from None
    fields: dict[str, Any] = {
        "to": header.to_node,
        "from": header.from_node,
        "id": header.packet_id,
        "hop_limit": header.hop_limit,
        "hop_start": header.hop_start,
        "want_ack": header.want_ack,
        "via_mqtt": header.via_mqtt,
        "channel_hash": header.channel_hash,
        "next_hop": header.next_hop,
        "relay_node": header.relay_node,
        "portnum": None,
        "payload_hex": None,
    }
    data: Data | None = None
    if header.channel_hash == channel.hash:
        try:
            data = decode_data(channel.crypt(header.from_node, header.packet_id, frame[HEADER_LENGTH:]))
        except FrameError:
            data = None
    if data is not None:
        fields["portnum"], fields["payload_hex"] = data.portnum, data.payload.hex()
        if everything:
            fields.update({name: getattr(data, name) for name in FURTHER})
    return fields


def _number(value: object, name: str, largest: int) -> int:
    if isinstance(value, str):
        try:
            value = int(value.removeprefix("!"), 16) if value.startswith("!") else int(value, 0)
        except ValueError:
            raise CommandError(f"{name} is not a number") from None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        raise CommandError(f"{name} must be a number from 0 to {largest}")
    return value


def encode_frame(fields: dict[str, Any], channel: Channel) -> bytes:
    """The frame for such fields. Raises CommandError naming the field at fault."""
    unknown = set(fields) - set(HEADER_FIELDS) - set(FLAGS) - set(FURTHER) - {"channel_hash", "portnum", "payload_hex"}
    if unknown:
        raise CommandError(f"unknown field {sorted(unknown)[0]}")
    numbers: dict[str, int] = {}
    for name, (largest, default) in HEADER_FIELDS.items():
        value = fields.get(name)
        if value is None:
            value = default
        if value is None and name == "hop_start":
            value = numbers["hop_limit"]
        if value is None and name == "relay_node":
            value = numbers["from"] & 0xFF or 0xFF
        if value is None:
            raise CommandError(f"{name} is missing")
        numbers[name] = _number(value, name, largest)
    for name in FLAGS:
        if not isinstance(fields.get(name, False), bool):
            raise CommandError(f"{name} must be true or false")
    given_hash = fields.get("channel_hash")
    if given_hash is not None and _number(given_hash, "channel_hash", 255) != channel.hash:
        raise CommandError(
            f"channel_hash {given_hash} does not belong to this channel and key, whose hash is {channel.hash}"
        )
    if fields.get("portnum") is None or fields.get("payload_hex") is None:
        raise CommandError("portnum and payload_hex are needed to make a frame")
    data = Data(
        _number(fields["portnum"], "portnum", 511),
        _hex(str(fields["payload_hex"]), "payload_hex"),
        want_response=bool(fields.get("want_response", False)),
        bitfield=None if fields.get("bitfield", 0) is None else _number(fields.get("bitfield", 0), "bitfield", U32_MAX),
        **{name: _number(fields.get(name) or 0, name, U32_MAX) for name in FURTHER[1:-1]},
    )
    header = Header(
        to_node=numbers["to"],
        from_node=numbers["from"],
        packet_id=numbers["id"],
        hop_limit=numbers["hop_limit"],
        hop_start=numbers["hop_start"],
        want_ack=fields.get("want_ack", False),
        via_mqtt=fields.get("via_mqtt", False),
        channel_hash=channel.hash,
        next_hop=numbers["next_hop"],
        relay_node=numbers["relay_node"],
    )
    try:
        return encode_header(header) + channel.crypt(header.from_node, header.packet_id, encode_data(data))
    except FrameError as error:
        raise _frame_error(error) from None


@app.command()
def decode(
    frame: Annotated[str, typer.Argument(metavar="HEX", help="The frame in hexadecimal.")],
    channel: ChannelOption = "Kiezbox",
    key: KeyOption = "AQ==",
    everything: Annotated[
        bool, typer.Option("--all", help="Print the rarer fields of the Data message as well.")
    ] = False,
) -> None:
    """Print a frame's fields as JSON; portnum and payload_hex are null where the key does not fit."""
    raw = _hex(frame.strip(), "the frame")
    typer.echo(json.dumps(decode_frame(raw, _channel(channel, key), everything=everything), indent=1))


@app.command()
def encode(
    fields: Annotated[
        str | None,
        typer.Argument(metavar="[JSON]", help="The fields as `decode` prints them; - reads standard input."),
    ] = None,
    channel: ChannelOption = "Kiezbox",
    key: KeyOption = "AQ==",
    to: Annotated[str | None, typer.Option(help="Receiver: number or !hex; everybody if left out.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Sender: number or !hex.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Packet id.")] = None,
    hop_limit: Annotated[int | None, typer.Option(help="Hops left, 0 to 7.")] = None,
    hop_start: Annotated[int | None, typer.Option(help="Hops at the start; the hop limit if left out.")] = None,
    want_ack: Annotated[
        bool | None, typer.Option("--want-ack/--no-want-ack", help="Ask for an acknowledgement.")
    ] = None,
    via_mqtt: Annotated[bool | None, typer.Option("--via-mqtt/--no-via-mqtt", help="Mark as come over MQTT.")] = None,
    channel_hash: Annotated[int | None, typer.Option(help="Checked against channel and key where given.")] = None,
    next_hop: Annotated[int | None, typer.Option(help="Last byte of the next relay, 0 for none.")] = None,
    relay_node: Annotated[
        int | None, typer.Option(help="Last byte of who transmits; the sender's if left out.")
    ] = None,
    portnum: Annotated[int | None, typer.Option(help="Meshtastic port number.")] = None,
    payload_hex: Annotated[str | None, typer.Option(help="Payload in hexadecimal.")] = None,
) -> None:
    """Print the frame for such fields in hexadecimal. Options win over the JSON."""
    options = {
        "to": to, "from": from_, "id": id_, "hop_limit": hop_limit, "hop_start": hop_start, "want_ack": want_ack,
        "via_mqtt": via_mqtt, "channel_hash": channel_hash, "next_hop": next_hop, "relay_node": relay_node,
        "portnum": portnum, "payload_hex": payload_hex,
    }  # fmt: skip
    given: Any = {}
    if fields is not None:
        try:
            given = json.loads(sys.stdin.read() if fields == "-" else fields)
        except (ValueError, RecursionError):
            raise CommandError("the fields are not JSON; give them as `kiezbox frame decode` prints them") from None
        if not isinstance(given, dict):
            raise CommandError("the fields must be a JSON object")
    given |= {name: value for name, value in options.items() if value is not None}
    typer.echo(encode_frame(given, _channel(channel, key)).hex())
