"""The alerting wing: is it worse than usual, who must know, and one file per kind of channel. See `alerts.base`."""

from collections.abc import Mapping

from alerts.base import Notifier
from alerts.slack import Slack
from alerts.webhook import Webhook

NOTIFIERS: Mapping[str, Notifier] = {notifier.kind: notifier for notifier in (Slack(), Webhook())}
