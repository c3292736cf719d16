"""What Avizor remembers: a store per noun over one database, SQLite or PostgreSQL through the same code.

    brands, sources, channels       what is watched, asked and told          `apply` changes them as a whole
    posts, mentions, volumes        what was collected                       written by `posts.store`
    submissions                     what was answered to who told an inbox
    subscriptions                   the hubs that push, and when each is asked again
    watches, incidents              what was decided                         written by `incidents.save`, `watches.save`
    deliveries                      what is to be told, and was              claimed, then finished
    policies, feedback              what verdicts go by, what people say of it
    keys                            who may ask

Frozen dataclasses go in and come out; a method is a transaction. Times are aware UTC datetimes and come in as `now`.
Methods block: call them from a worker thread.

    StorageError                    the database cannot be used; the text is for the operator
    LeaseLost, Conflict             somebody else was faster: drop the work, or read again and decide again
"""

from collections.abc import Sequence
from datetime import datetime

from app.storage import configuration, schema
from app.storage.backtests import Backtests
from app.storage.brands import Brands
from app.storage.channels import Channels
from app.storage.database import Database, Dialect, Place
from app.storage.deliveries import Deliveries
from app.storage.feedback import FeedbackTrail
from app.storage.incidents import Incidents
from app.storage.journal import Journal
from app.storage.keys import Keys
from app.storage.mentions import Mentions
from app.storage.policies import Policies
from app.storage.posts import Posts
from app.storage.proof import Proof
from app.storage.records import ConfigChange, Conflict, LeaseLost, StorageError
from app.storage.recount import Recount
from app.storage.sealing import Vault
from app.storage.sources import Sources
from app.storage.submissions import Submissions
from app.storage.subscriptions import Subscriptions
from app.storage.traces import Traces
from app.storage.volumes import Volumes
from app.storage.watches import Watches

__all__ = ["Conflict", "LeaseLost", "Storage", "StorageError", "Vault", "open_storage"]


def open_storage(database_url: str, vault: Vault) -> "Storage":
    """Storage at `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`. Connects when first asked something.

    Raises `StorageError` when the address cannot be meant. Nothing is made there until `migrate`.
    """
    return Storage(Database(Place.of(database_url)), vault)


class Storage:
    """All stores of one database. Close it when done."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self.brands = Brands(database)
        self.sources = Sources(database, vault)
        self.channels = Channels(database, vault)
        self.keys = Keys(database)
        self.posts = Posts(database)
        self.submissions = Submissions(database)
        self.subscriptions = Subscriptions(database, vault)
        self.traces = Traces(database)
        self.mentions = Mentions(database)
        self.volumes = Volumes(database)
        self.watches = Watches(database)
        self.proof = Proof(database)
        self.journal = Journal(database)
        self.incidents = Incidents(database)
        self.deliveries = Deliveries(database, vault)
        self.recount = Recount(database)
        self.backtests = Backtests(database)
        self.policies = Policies(database)
        self.feedback = FeedbackTrail(database)

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    def migrate(self) -> None:
        """Bring the tables to this version's, in one transaction; returns at once when they are there already."""
        schema.migrate(self._database)

    def schema_version(self) -> str | None:
        """The version that the tables have; None when there are none yet."""
        return schema.version(self._database)

    def check_ready(self) -> None:
        """Raises `StorageError` unless the database answers, can be written, and has this version's tables."""
        schema.check(self._database)
        with self._database.write():
            pass

    def apply(self, changes: Sequence[ConfigChange], now: datetime) -> None:
        """Change what is watched, asked and told, all or nothing. Slugs say which is meant, ids are ignored."""
        with self._database.write() as connection:
            configuration.apply(connection, changes, self._vault, now)

    def close(self) -> None:
        self._database.close()
