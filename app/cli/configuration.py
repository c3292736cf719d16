"""avizor.toml by hand: write one to start from, see what it would change, apply it."""

from pathlib import Path

import app
from app.cli.paper import put, say
from app.cli.refusal import Refusal
from app.cli.rooms import open_storage_ready
from app.clock import utc_now
from app.config import Config, Plan, load_config
from app.config import apply as make_true
from app.config import plan as compare
from app.settings import config_path
from app.storage import Storage

EXAMPLE = "avizor.example.toml"


def init() -> None:
    """Write avizor.toml from the example. One that is there is left alone."""
    path = config_path()
    example = Path(app.__path__[0]).parent / EXAMPLE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(example.read_text(encoding="utf-8"))
    except FileExistsError:
        say(f"{path} is there already, and stays as it is")
    except OSError as error:
        raise Refusal(f"{error.filename}: {error.strerror}") from None
    else:
        say(f"wrote {path}: edit it, then run `avizor plan`")


def plan() -> None:
    config = load_config(config_path())
    with open_storage_ready(config.settings) as storage:
        show(compare(config, storage))


def apply() -> None:
    config = load_config(config_path())
    with open_storage_ready(config.settings) as storage:
        show(apply_to(storage, config), done=True)


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
