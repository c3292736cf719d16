"""avizor.toml by hand: write one to start from, see what it would change, apply it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import app
from app.cli.paper import put, say
from app.cli.refusal import Refusal
from app.cli.rooms import open_storage_ready
from app.clock import utc_now
from app.config import Config, ConfigError, Plan, load_config
from app.config import apply as make_true
from app.config import plan as compare
from app.settings import config_path, load_settings
from app.storage import Storage
from app.storage.records import StorageError
from app.vault import VaultError

EXAMPLE = "avizor.example.toml"


def init() -> None:
    if not write_example():
        say(f"{config_path()} is there already, and stays as it is")


def write_example() -> bool:
    """Write avizor.toml from the example, and say so. One that is there is left alone: False. Raises `Refusal`."""
    path = config_path()
    example = Path(app.__path__[0]).parent / EXAMPLE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(example.read_text(encoding="utf-8"))
    except FileExistsError:
        return False
    except OSError as error:
        raise Refusal(f"{error.filename}: {error.strerror}") from None
    say(f"wrote {path}: edit it, then run `avizor plan`")
    return True


def plan() -> None:
    config = load_config(config_path())
    with open_storage_for(config) as storage:
        show(compare(config, storage))


def apply() -> None:
    config = load_config(config_path())
    with open_storage_for(config) as storage:
        show(apply_to(storage, config), done=True)


@contextmanager
def open_storage_for(config: Config) -> Iterator[Storage]:
    """Storage to plan with. Where there is none, what is wrong with the file is told before what is wrong with that."""
    with ExitStack() as stack:
        try:
            storage = stack.enter_context(open_storage_ready(load_settings()))
        except (ConfigError, Refusal, StorageError, VaultError):
            config.check()
            raise
        yield storage


def apply_to(storage: Storage, config: Config) -> Plan:
    """Make the configuration true, in one transaction. Returns what was changed."""
    planned = compare(config, storage)
    make_true(planned, storage, utc_now())
    return planned


def show(plan: Plan, *, done: bool = False) -> None:
    for line in plan.lines():
        put(line)
    if not plan.differences:
        say("nothing to change: what is stored is what the file says")
    else:
        say(f"{'applied' if done else 'planned'}: {plan.summary()}")
