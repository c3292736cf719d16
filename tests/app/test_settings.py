"""Settings come from the environment, then the file, then defaults; what is wrong is told by variable or by line."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.config_file import ConfigError
from app.settings import PREFIX, Settings, environment, load_settings


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory of its own, and none of the variables of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in list(environment()):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def write(text: str, path: str = "avizor.toml") -> None:
    Path(path).write_text(text, encoding="utf-8")


def problems() -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_settings()
    return str(caught.value).splitlines()


def test_it_starts_without_a_file_or_a_variable() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.default_language) == ("127.0.0.1", 8000, "es")
    assert settings.database_url == f"sqlite:///{Path.cwd()}/var/avizor.db"
    assert settings.secret_key_file == Path("var/secret.key")
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.database_file == Path.cwd() / "var/avizor.db"


def test_it_prefers_the_environment_to_the_file_and_the_file_to_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    write('[settings]\nport = 9000\nhost = "0.0.0.0"\ntime_zone = "Europe/Madrid"\n')
    monkeypatch.setenv("AVIZOR_PORT", "9001")
    settings = load_settings()
    assert (settings.port, settings.host, settings.time_zone) == (9001, "0.0.0.0", "Europe/Madrid")
    assert settings.default_language == "es"


def test_it_reads_lists_alike_from_both(monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        '[settings]\nallow_networks = ["10.1.0.0/16", "fd00::/8"]\nallow_ports = [80, 8080]\nlanguages = ["es", "en"]\n'
    )
    from_file = load_settings()
    write("")
    monkeypatch.setenv("AVIZOR_ALLOW_NETWORKS", "10.1.0.0/16, fd00::/8")
    monkeypatch.setenv("AVIZOR_ALLOW_PORTS", "80 8080")
    monkeypatch.setenv("AVIZOR_LANGUAGES", "es,en")
    from_environment = load_settings()
    assert from_file == from_environment
    assert from_file.allow_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert from_file.allow_ports == (80, 8080)


def test_it_takes_an_empty_variable_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVIZOR_PORT", "")
    assert load_settings().port == 8000


def test_it_reads_the_file_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[settings]\nport = 1234\n", "other.toml")
    monkeypatch.setenv("AVIZOR_CONFIG", "other.toml")
    settings = load_settings()
    assert (settings.port, settings.config) == (1234, Path("other.toml"))


def test_it_says_when_the_file_that_was_named_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVIZOR_CONFIG", "nowhere.toml")
    (problem,) = problems()
    assert problem.startswith("nowhere.toml: there is no such file, and AVIZOR_CONFIG names it")


def test_it_tells_every_problem_at_once_by_line_or_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    write('# mine\n[settings]\nprot = 9000\nport = 99999\ntime_zone = "Madrid"\n\nlanguages = ["es", "english"]\n')
    monkeypatch.setenv("AVIZOR_LOG_LEVEL", "loud")
    monkeypatch.setenv("AVIZOR_HOSTT", "x")
    assert sorted(problems()) == [
        "avizor.toml:3: settings.prot: unknown key; did you mean port?",
        "avizor.toml:4: settings.port: input should be less than or equal to 65535",
        "avizor.toml:5: settings.time_zone: is not a time zone; write it as in Europe/Madrid",
        "avizor.toml:7: settings.languages[1]: string should match pattern '^[a-z]{2,3}$'",
        "environment: AVIZOR_HOSTT: unknown key; did you mean AVIZOR_HOST?",
        "environment: AVIZOR_LOG_LEVEL: input should be 'debug', 'info', 'warning' or 'error'",
    ]


def test_it_blames_the_variable_where_the_file_was_right(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[settings]\nport = 9000\n")
    monkeypatch.setenv("AVIZOR_PORT", "many")
    (problem,) = problems()
    assert problem.startswith("environment: AVIZOR_PORT: ")


def test_it_never_repeats_a_value_since_it_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVIZOR_DATABASE_URL", "mysql://me:hunter2@db/avizor")
    assert problems() == ["environment: AVIZOR_DATABASE_URL: must start with sqlite:/// or postgresql://"]
    with pytest.raises(ValidationError) as caught:
        Settings(database_url="mysql://me:hunter2@db/avizor")
    assert "hunter2" not in str(caught.value)


def test_it_keeps_secrets_out_of_its_own_text() -> None:
    settings = Settings(database_url="postgresql://me:hunter2@db/avizor", secret_keys=(SecretStr("k3y-k3y"),))
    assert "hunter2" not in repr(settings)
    assert "k3y-k3y" not in repr(settings)


def test_it_leaves_the_variables_of_the_tests_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVIZOR_TEST_DATABASE_URL", "postgresql://x")
    assert load_settings().port == 8000


def test_it_says_that_settings_must_be_a_table() -> None:
    write("settings = 3\n")
    assert problems() == ["avizor.toml:1: settings: must be a table: write [settings] on a line of its own"]


def test_it_speaks_psycopg_whichever_way_postgresql_is_written() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        settings = Settings(database_url=f"{scheme}://me@db/avizor")
        assert settings.database_url == "postgresql+psycopg://me@db/avizor"
        assert settings.database_file is None


def test_it_makes_an_address_that_a_browser_can_open() -> None:
    assert Settings(host="0.0.0.0", port=80).public_url == "http://127.0.0.1:80"
    assert Settings(host="::1", port=81).public_url == "http://[::1]:81"
    assert Settings(public_url="https://avizor.example/").public_url == "https://avizor.example"


@pytest.mark.parametrize(
    ("public_url", "reachable"),
    [
        ("https://avizor.example", True),
        ("https://93.184.216.34", True),
        ("http://avizor.example", False),
        ("https://localhost:8443", False),
        ("https://avizor.localhost", False),
        ("https://127.0.0.1", False),
        ("https://10.1.2.3", False),
        ("https://[::1]", False),
    ],
)
def test_hubs_are_asked_where_they_can_reach_us_unless_told_otherwise(public_url: str, reachable: bool) -> None:
    assert Settings(public_url=public_url).websub is reachable
    assert Settings(public_url=public_url, websub=not reachable).websub is not reachable
    assert not Settings().websub


def test_it_says_what_every_setting_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())
