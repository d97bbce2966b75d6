# SPDX-License-Identifier: Apache-2.0
"""docs/kiezbox.proto says what the tables in messages.py say, and the real protobuf library reads and writes our
bodies."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from grpc_tools import protoc

from kiezbox.protocol import envelope, messages, reading, text_coding

ROOT = Path(__file__).resolve().parents[3]
NAMES = {"emergency": "Call", "exercise": "Call", "command_result": "CommandResult"}
TYPES = {
    "u": FieldDescriptor.TYPE_UINT32,
    "s": FieldDescriptor.TYPE_SINT32,
    "f": FieldDescriptor.TYPE_FIXED32,
    "t": FieldDescriptor.TYPE_STRING,
    "c": FieldDescriptor.TYPE_BYTES,
    "b": FieldDescriptor.TYPE_BYTES,
    "r": FieldDescriptor.TYPE_BYTES,
    "n": FieldDescriptor.TYPE_MESSAGE,
    "p": FieldDescriptor.TYPE_MESSAGE,
    "a": FieldDescriptor.TYPE_MESSAGE,
}


@pytest.fixture(scope="module")
def proto(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module that Google's compiler makes of the file."""
    folder = tmp_path_factory.mktemp("proto")
    assert protoc.main(["protoc", f"-I{ROOT / 'docs'}", f"--python_out={folder}", "kiezbox.proto"]) == 0
    spec = importlib.util.spec_from_file_location("kiezbox_v1_pb2", folder / "kiezbox_pb2.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["kiezbox_v1_pb2"] = module
    spec.loader.exec_module(module)
    return module


def message_type(proto: Any, kind: str) -> Any:
    return getattr(proto, NAMES.get(kind, kind.capitalize()))


def test_the_file_has_exactly_the_fields_of_the_tables(proto: Any) -> None:
    for kind, fields in messages.FIELDS.items():
        descriptor = message_type(proto, envelope.KIND_NAMES[kind]).DESCRIPTOR
        expected = [(number, field[:-2], TYPES[field[-1]]) for number, field in enumerate(fields.split(" "), 1)]
        assert [(field.number, field.name, field.type) for field in descriptor.fields] == expected
        assert all(field.has_presence or field.is_repeated for field in descriptor.fields)


def vectors() -> list[dict[str, Any]]:
    lines = json.loads((ROOT / "tests/vectors/wire.json").read_text())
    return [vector for vector in lines if vector["type"] in ("uplink", "downlink", "broadcast")]


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_google_reads_and_writes_the_same_bytes(proto: Any, vector: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["body"])
    theirs = message_type(proto, vector["kind"]).FromString(body)
    ours = vector["message"]
    letters = {field[:-2]: field[-1] for field in messages.FIELDS[envelope.kind_number(vector["kind"])].split(" ")}
    assert {field.name for field, _ in theirs.ListFields()} == set(ours)
    for key, value in ours.items():
        read = getattr(theirs, key)
        letter = letters[key]
        if letter == "c":
            assert text_coding.decode(read) == value
        elif letter == "r":
            assert reading.decode(read) == value
        elif letter == "b":
            assert read.hex() == value["hex"]
        elif letter == "n":
            assert [{"node": n.node, "rssi_dbm": n.rssi_dbm, "snr_db": n.snr_db} for n in read] == value
        elif letter == "p":
            assert [{"name": p.name, "address": p.address, "kind": p.kind} for p in read] == value
        elif letter == "a":
            assert [{"refers_to": a.refers_to, "later_s": a.later_s} for a in read] == value
        else:
            assert read == value
    assert theirs.SerializeToString(deterministic=True) == body
