"""The demo as a command: the real service on a fast clock, with a narrator beside it."""

import os
import signal
import threading
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

from app.api.auth import new_key
from app.cli.logs import start_log
from app.cli.paper import looked_on, say
from app.cli.refusal import Refusal
from app.cli.rooms import make_folders, open_rooms
from app.cli.service import listening, run
from app.demo import DemoClock, Narrator, Publisher, Slack, brand_and_sources, morning
from app.demo.story import tell
from app.main import make_app
from app.settings import Settings, load_settings


def demo(*, stay: bool) -> None:
    """Play the story once. `stay`, or a person who looks on, keeps the pages up until interrupted.

    Raises `Refusal` if the story did not play out.
    """
    stay = stay or looked_on()
    chosen = load_settings()
    began = morning(datetime.now(UTC))
    clock, slack, played = DemoClock(began), Slack(), threading.Event()
    with TemporaryDirectory(prefix="avizor-demo-") as folder, Publisher(tell(began), clock, slack.receive) as publisher:
        settings = Settings(
            data_dir=Path(folder),
            host="127.0.0.1",
            port=chosen.port,
            allow_networks=(ip_network("127.0.0.0/8"),),
            allow_ports=(publisher.port,),
            log_level="error",
        )
        start_log(settings)
        make_folders(settings)
        with listening(settings) as listener, open_rooms(settings) as storage:
            settings = settings.at_port(listener.getsockname()[1])
            key = new_key("demo", "admin", None, clock())
            storage.migrate()
            storage.keys.create(key.key, key.sha256)
            storage.apply(brand_and_sources(publisher.url), clock())
            narrator = Narrator(storage, clock, slack, began, say)

            def narrate() -> None:
                if narrator.tell(settings.public_url, key.text):
                    played.set()
                if stay:
                    say("\nThe pages stay up until you press Ctrl-C.")
                else:
                    os.kill(os.getpid(), signal.SIGTERM)

            threading.Thread(target=narrate, daemon=True).start()
            try:
                run(make_app(settings, clock=clock), listener)
            except SystemExit:
                if not played.is_set():
                    raise Refusal("the demo did not play out: the crisis was not told from beginning to end") from None
