# SPDX-License-Identifier: Apache-2.0
"""One schema: all problems at once, unknown keys refused, the template and the schema in step, no secret inside."""

import tomllib
from pathlib import Path

import pytest

from kiezbox_gateway import configuration, provisioning
from kiezbox_gateway.configuration import Configuration, ConfigurationError

GOOD = '[gateway]\nname = "G"\ndistrict = "kiez"\nstation = "S"\n[city]\nurl = "mqtt://127.0.0.1:1883"\n'
VALUES = {"name": "G", "district": "kiez", "station": "S", "radio": "auto", "city": "mqtt://h", "port": "1"}


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        configuration.load(path)
    return caught.value.problems


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        '[gateway]\nname = ""\ndistrict = "Kiez Nord"\nstatoin = "S"\n[radio]\nhop_limit = 9\npreset = "FAST"\n'
        'address = "http://x"\n[city]\nurl = "amqp://x"\nwindow = 0\n[web]\nhost = "0.0.0.0"\n',
    )
    text = "\n".join(found)
    for name in (
        "gateway.name", "gateway.district", "gateway.station is missing", "gateway.statoin is not a known setting",
        "radio.hop_limit", "radio.preset", "radio.address", "city.url", "city.window", "web: host is not a loopback",
    ):  # fmt: skip
        assert name in text, name
    assert len(found) == 10


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not toml [", "is not TOML"),
        (GOOD + 'certificate_file = "a"\n', "belong together"),
        (GOOD + 'ca_file = "a"\n', "mqtts"),
        (GOOD + 'password_file = "a"\n', "username"),
        (GOOD.replace("mqtt://", "mqtt://user:secret@"), "without user or password"),
        (GOOD.replace(":1883", ":99999"), "city.url"),
        (GOOD + '[radio]\nregion = "UNSET"\n', "region"),
        (GOOD + "[surprise]\nx = 1\n", "surprise is not a known setting"),
    ],
)
def test_each_problem_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    found = problems(tmp_path, text)
    assert any(sentence in each for each in found), found
    assert "secret" not in " ".join(found)


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="kiezbox gateway init"):
        configuration.load(tmp_path / "nothing.toml")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(GOOD + '[web]\ntoken_file = "/run/token"\n')
    found = configuration.load(tmp_path / "gateway.toml")
    assert found.gateway.data_dir == tmp_path / "data"
    assert found.boxes.district_key_file == tmp_path / "keys" / "district_ed25519.key"
    assert found.web.token_file == Path("/run/token")


def test_template_names_every_setting_with_its_default() -> None:
    text = provisioning.template()
    for name, value in VALUES.items():
        text = text.replace("{" + name + "}", value)
    text = text.replace("{data_dir}", "data")
    commented = text.replace("# client_id", "client_id").replace("# allowed_hosts", "allowed_hosts")
    for name in ("username", "password_file", "ca_file", "certificate_file", "certificate_key_file"):
        assert f"# {name} = " in commented
        commented = commented.replace(f"# {name}", name)
    values = tomllib.loads(commented)
    for section_name, field in Configuration.model_fields.items():
        section = field.annotation
        assert section is not None
        assert set(values[section_name]) == set(section.model_fields), section_name
    loaded = Configuration.model_validate(tomllib.loads(text))
    plain = Configuration.model_validate(
        {"gateway": {"name": "G", "district": "kiez", "station": "S"}, "city": {"url": "mqtt://h"}, "web": {"port": 1}}
    )
    assert loaded == plain
