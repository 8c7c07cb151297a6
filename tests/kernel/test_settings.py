from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.errors import InvalidInput
from treadle.kernel.settings import Settings, find_home, load_settings

NAMES = [name for name in Settings.__struct_fields__ if name != "home"]


def test_a_home_without_settings_has_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path, env={}) == Settings(home=tmp_path)


def test_a_file_sets_what_the_environment_does_not(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('port = 1000\nhost = "0.0.0.0"\n')

    settings = load_settings(tmp_path, env={"TREADLE_PORT": "2000"})

    assert (settings.port, settings.host) == (2000, "0.0.0.0")


def test_the_home_is_named_by_the_environment(tmp_path: Path) -> None:
    assert load_settings(env={"TREADLE_HOME": str(tmp_path)}).home == tmp_path


def test_a_named_home_is_stronger_than_the_environment(tmp_path: Path) -> None:
    assert find_home(tmp_path, env={"TREADLE_HOME": "/elsewhere"}) == tmp_path


def test_without_a_name_the_home_is_in_the_working_folder() -> None:
    assert find_home(env={}) == Path.cwd() / ".treadle"


def test_urls_left_empty_mean_inside_the_home(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, env={})

    assert settings.where_metadata() == f"sqlite:///{tmp_path / 'treadle.db'}"
    assert settings.where_objects() == (tmp_path / "objects").as_uri()


def test_urls_are_taken_as_they_are(tmp_path: Path) -> None:
    env = {"TREADLE_METADATA_URL": "postgresql://h/d", "TREADLE_OBJECTS_URL": "s3://b/p"}

    settings = load_settings(tmp_path, env=env)

    assert settings.where_metadata() == "postgresql://h/d"
    assert settings.where_objects() == "s3://b/p"


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ()),
        ("a.example", ("a.example",)),
        ("a.example, b.example,", ("a.example", "b.example")),
    ],
)
def test_hosts_are_separated_by_commas(tmp_path: Path, text: str, hosts: tuple[str, ...]) -> None:
    assert load_settings(tmp_path, env={"TREADLE_WEBHOOK_HOSTS": text}).webhook_hosts == hosts


def test_a_near_miss_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("prot = 1000\n")

    with pytest.raises(InvalidInput, match=r"'prot'.*settings\.toml.*Did you mean 'port'"):
        load_settings(tmp_path, env={})


def test_a_name_like_none_is_answered_with_all(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("zzzz = 1\n")

    with pytest.raises(InvalidInput, match="There is: metadata_url, objects_url"):
        load_settings(tmp_path, env={})


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "many"), ("CLOCK", "sundial"), ("WORKERS", "1.5")]
)
def test_a_wrong_value_names_its_setting(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=rf"wrong value.*{name.lower()}"):
        load_settings(tmp_path, env={f"TREADLE_{name}": value})


@pytest.mark.parametrize("content", [b"port = ", b"[[", b"\xff\xfe", b"host = 'caf\xe9'"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "settings.toml").write_bytes(content)

    with pytest.raises(InvalidInput, match=r"settings\.toml is not valid TOML"):
        load_settings(tmp_path, env={})


@given(name=st.sampled_from(NAMES), value=st.text(max_size=20))
def test_any_text_is_a_value_or_an_explained_error(name: str, value: str) -> None:
    try:
        settings = load_settings("/nonexistent", env={f"TREADLE_{name.upper()}": value})
    except InvalidInput as error:
        assert name in str(error)  # noqa: PT017 - both outcomes are allowed
    else:
        assert isinstance(settings, Settings)
