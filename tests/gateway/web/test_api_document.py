# SPDX-License-Identifier: Apache-2.0
"""docs/gateway-api.yaml says what the API does: its routes, roles, bodies, and the answers of a running gateway."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from kiezbox_gateway import tokens
from kiezbox_gateway.city.command import Bulletin
from kiezbox_gateway.web.orders import ModeRequest, SettingsRequest, StageRequest
from kiezbox_gateway.web.server import ROUTES
from tests.gateway.running import Running, running_gateway
from tests.gateway.web.test_server import filled

DOCUMENT = yaml.safe_load((Path(__file__).parents[3] / "docs" / "gateway-api.yaml").read_text())
LIMITS = ("minimum", "maximum", "minLength", "maxLength", "pattern", "enum")


def resolved(schema: Any) -> Any:
    """With every reference replaced by what it refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            found: Any = DOCUMENT
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            return resolved(found)
        return {key: resolved(value) for key, value in schema.items()}
    return [resolved(each) for each in schema] if isinstance(schema, list) else schema


def operations() -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): resolved(operation)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }


def test_routes_and_roles_are_those_of_the_server() -> None:
    served = {(route.method, route.path): route.role.name.lower() for route in ROUTES if route.role is not None}
    assert {key: operation["x-role"] for key, operation in operations().items()} == served


@pytest.mark.parametrize("model", [StageRequest, ModeRequest, SettingsRequest, Bulletin])
def test_bodies_are_those_of_the_models(model: type[BaseModel]) -> None:
    documented = resolved(DOCUMENT["components"]["schemas"][model.__name__])
    schema = model.model_json_schema()
    assert set(documented["properties"]) == set(schema["properties"])
    assert set(documented.get("required", [])) == set(schema.get("required", []))
    for name, rules in documented["properties"].items():
        plain = schema["properties"][name]
        for option in plain.get("anyOf", [plain]):
            if option.get("type") == "null":
                continue
            for limit in LIMITS:
                if limit in rules:
                    assert option.get(limit) == rules[limit], f"{model.__name__}.{name}.{limit}"


async def answered(running: Running, method: str, path: str, body: Any = None) -> None:
    """The answer has the documented form."""
    bare = path.split("?")[0]
    pattern = next(
        key for key in sorted(operations(), key=lambda key: key[1].count("{"))
        if key[0] == method and len(key[1].split("/")) == len(bare.split("/"))
        and all(part.startswith("{") or part == given for part, given in zip(key[1].split("/"), bare.split("/")))
    )  # fmt: skip
    status, found = await running.request(method, path, body)
    response = operations()[pattern]["responses"].get(str(status)) or operations()[pattern]["responses"]["default"]
    jsonschema.validate(found, response["content"]["application/json"]["schema"])


async def test_answers_of_a_running_gateway(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        await filled(running)
        tokens.add(running.gateway.configuration.web.tokens_file, "reader", tokens.Role.READER)
        box = f"{running.boxes[0].node_num:08x}"
        for method, path, body in (
            ("POST", "/api/v1/mode", {"mode": "exercise"}),
            ("POST", "/api/v1/mode", {"mode": "party"}),
            ("POST", "/api/v1/calls/WEBC2345/stage", {"stage": 5, "text": "x"}),
            ("POST", "/api/v1/calls/NOSUCH/stage", {"stage": 5, "text": "x"}),
            ("POST", "/api/v1/bulletins", {"id": "a", "headline": "b", "text": "c", "source": "d"}),
            ("POST", f"/api/v1/boxes/{box}/settings", {"name": "x"}),
            ("POST", "/api/v1/boxes/reload", None),
            *(("GET", path, None) for method, path in operations() if method == "GET" and "{" not in path),
            ("GET", "/api/v1/calls/WEBC2345", None),
            ("GET", "/api/v1/calls?limit=0", None),
            ("DELETE", "/api/v1/calls/WEBC2345", None),
            ("DELETE", "/api/v1/calls/WEBC2345?unconfirmed=1", None),
        ):
            await answered(running, method, path, body)
