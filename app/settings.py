"""How this installation runs. The only reader of the environment.

    AVIZOR_* variables  >  [settings] of avizor.toml  >  defaults  ->  Settings

What is watched (brands, sources, channels) is not here: that is `app.config`.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from app.config_file import ConfigError, ConfigFile, Problem, faults, in_words, read_config_file, unknown_key

PREFIX = "AVIZOR_"
CONFIG_VARIABLE = "AVIZOR_CONFIG"
TEST_PREFIX = "AVIZOR_TEST_"  # read by the tests and the benchmarks, never by the service
CONFIG_FILE = Path("avizor.toml")


def _listed(value: object) -> object:
    """A variable holds a list as `a, b`; the file as an array."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not a time zone; write it as in Europe/Madrid")
    return name


def _database(url: str) -> str:
    """`postgres://` and `postgresql://` mean psycopg 3, the one driver that is installed."""
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("sqlite", "postgres", "postgresql", "postgresql+psycopg"):
        raise ValueError("must start with sqlite:/// or postgresql://")
    return url if scheme == "sqlite" else f"postgresql+psycopg://{rest}"


def _web(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return url.rstrip("/")


def _public_url(values: dict[str, Any]) -> str:
    host = values["host"]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - named here because a browser cannot open it
        host = "127.0.0.1"
    return f"http://[{host}]:{values['port']}" if ":" in host else f"http://{host}:{values['port']}"


def _websub(values: dict[str, Any]) -> bool:
    """A hub can reach us where the public address is https and no name of this machine alone."""
    url = urlsplit(values["public_url"])
    host = url.hostname or ""
    if url.scheme != "https" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        return True  # a name


TimeZone = Annotated[str, AfterValidator(_time_zone)]
LanguageCode = Annotated[str, Field(pattern="^[a-z]{2,3}$")]
InterfaceLanguage = Literal["es", "en"]
Tier = Literal["auto", "fast", "quality"]
Port = Annotated[int, Field(ge=1, le=65535)]
_List = (NoDecode, BeforeValidator(_listed))


class Settings(BaseSettings):
    """Every setting, with its default. Made by `load_settings`, or field by field in a test."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    config: Path = Field(default=CONFIG_FILE, description="the file with brands, sources, channels and [settings]")
    host: str = Field(default="127.0.0.1", description="address that the API and the pages listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port that they listen on; 0 takes any free one")
    data_dir: Path = Field(
        default=Path("var"), description="where the embedded database, the key file and the lock live"
    )
    database_url: Annotated[str, AfterValidator(_database)] = Field(
        default_factory=lambda values: f"sqlite:///{values['data_dir'].absolute()}/avizor.db",
        repr=False,
        description="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME",
    )
    public_url: Annotated[str, AfterValidator(_web)] = Field(
        default_factory=_public_url, description="how people reach this installation; links in alerts begin with it"
    )
    languages: Annotated[tuple[LanguageCode, ...], *_List] = Field(
        default=("es", "en", "pt", "fr", "de", "it", "ca", "gl", "eu"),
        min_length=1,
        description="languages that a text may be recognised as",
    )
    default_language: InterfaceLanguage = Field(
        default="es", description="language of brands and channels that name none"
    )
    time_zone: TimeZone = Field(default="UTC", description="time zone of brands that name none")
    tone: Tier = Field(
        default="auto", description="who hears the tone: fast, quality, or auto, the quality tier where it is installed"
    )
    tone_biases: Path = Field(
        default_factory=lambda values: values["data_dir"] / "tone-biases.json",
        description="file with what people's corrections have taught; there is none until it is applied",
    )
    secret_keys: Annotated[tuple[SecretStr, ...], *_List] = Field(
        default=(), description="Fernet keys that seal stored secrets, the newest first; instead of the key file"
    )
    secret_key_file: Path = Field(
        default_factory=lambda values: values["data_dir"] / "secret.key",
        description="file with those keys, one a line; made when the first secret is stored",
    )
    allow_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], *_List] = Field(
        default=(), description="networks that may be reached although they are not public, such as 10.1.0.0/16"
    )
    allow_ports: Annotated[tuple[Port, ...], *_List] = Field(
        default=(), description="ports that sources and channels may be reached on besides 80 and 443"
    )
    contact: str = Field(
        default="", max_length=200, description="address or page told to the sites that are asked (User-Agent)"
    )
    source_channels: Annotated[tuple[str, ...], *_List] = Field(
        default=(), description="slugs of the channels that are told of sources that are not heard; none: see the docs"
    )
    websub: bool = Field(
        default_factory=_websub,
        description="ask the hubs that feeds name to say when there is something new; they must reach public_url",
    )
    noise_budget: float = Field(
        default=1.0,
        gt=0,
        le=1_000,
        allow_inf_nan=False,
        description="false pages per brand and month that are put up with; a policy above it must give a reason",
    )
    collect_concurrency: int = Field(default=16, ge=1, le=256, description="sources asked at the same time")
    parse_workers: int = Field(default=1, ge=1, le=64, description="child processes that read what sources answered")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe line to log"
    )

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: the environment is read by `load_settings`, never behind a test's back."""
        return (sources["init_settings"],)

    @property
    def database_file(self) -> Path | None:
        """The embedded database: one service at a time may use it. None when the database is a server."""
        scheme, _, rest = self.database_url.partition(":///")
        return Path(rest.partition("?")[0]) if scheme == "sqlite" else None

    def at_port(self, port: int) -> "Settings":
        """These settings with the port that was really given, where `port = 0` left the choice to the system."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return Settings(**{**given, "port": port})


def environment() -> Mapping[str, str]:
    """The variables of this process: settings, and whatever `${NAME}` in avizor.toml may name."""
    return os.environ  # noqa: TID251 - this is the one place


def config_path() -> Path:
    """Where avizor.toml is, or would be."""
    return Path(environment().get(CONFIG_VARIABLE) or CONFIG_FILE)


def load_settings() -> Settings:
    """Read the environment and the file. Raises `ConfigError` with every setting that is wrong."""
    path = config_path()
    if path.exists():
        return settings_from(read_config_file(path))
    if environment().get(CONFIG_VARIABLE):
        message = f"there is no such file, and {CONFIG_VARIABLE} names it: `avizor init` writes one to start from"
        raise ConfigError([Problem(str(path), "", message)])
    return settings_from(ConfigFile(path))


def settings_from(file: ConfigFile) -> Settings:
    """The settings of the environment over those of a file that was read. Raises `ConfigError`."""
    table = file.values.get("settings", {})
    if not isinstance(table, dict):
        raise ConfigError([file.problem(("settings",), "must be a table: write [settings] on a line of its own")])
    problems = [*_unknown_variables(), *_unknown_keys(file, table)]
    known = {key: value for key, value in table.items() if key in _file_keys()}
    try:
        settings = Settings(**{**known, **EnvSettingsSource(Settings)(), "config": file.path})
    except ValidationError as error:
        problems += [_problem(file, fault["loc"], in_words(fault, ())) for fault in faults(error)]
    if problems:
        raise ConfigError(problems)
    return settings


def where_set(settings: Settings, name: str, message: str) -> Problem:
    """A problem with a setting that only somebody else can judge, told with where the setting was made."""
    file = read_config_file(settings.config) if settings.config.exists() else ConfigFile(settings.config)
    return _problem(file, (name,), message)


def _file_keys() -> set[str]:
    return set(Settings.model_fields) - {"config"}


def _unknown_keys(file: ConfigFile, table: Mapping[str, Any]) -> list[Problem]:
    known = _file_keys()
    return [file.problem(("settings", key), unknown_key(key, known)) for key in table if key not in known]


def _unknown_variables() -> list[Problem]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return [
        Problem("environment", name, unknown_key(name, known))
        for name in sorted(environment())
        if name.upper().startswith(PREFIX) and name.upper() not in known and not name.startswith(TEST_PREFIX)
    ]


def _problem(file: ConfigFile, loc: tuple[str | int, ...], message: str) -> Problem:
    variable = PREFIX + str(loc[0]).upper()
    if environment().get(variable):
        return Problem("environment", variable, message)
    return file.problem(("settings", *loc), message)
