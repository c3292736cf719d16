"""The pages' fixed words, by the stable word that stands for each in storage."""

from collections.abc import Mapping

from alerts.base import Action, IncidentState, Severity
from alerts.incident import EventKind
from app.api.bins import Width
from app.model import Label, Role
from app.storage.records import DeliveryState
from app.web.views import Mood, Range, Tab
from app.web.words import N_
from collectors.base import SourceState

LABELS: Mapping[Label, str] = {
    "negative": N_("negative"),
    "neutral": N_("neutral"),
    "positive": N_("positive"),
    "unknown": N_("tone unknown"),
}

SURFACES: Mapping[Label, str] = {
    "negative": N_("The words look negative, the sentence does not."),
    "positive": N_("The words look positive, the sentence does not."),
}

TABS: Mapping[Tab, str] = {
    "all": N_("All"),
    "uncertain": N_("Uncertain: review first"),
    "corrected": N_("Corrected"),
}

MOODS: Mapping[Mood, str] = {
    "calm": N_("Calm"),
    "warning": N_("Warning"),
    "critical": N_("Critical"),
    "learning": N_("Learning"),
    "not_evaluated": N_("Not judged"),
    "stale": N_("Nobody is watching"),
    "new": N_("Not judged yet"),
}

MOOD_NOTES: Mapping[Mood, str] = {
    "stale": N_("The last verdict is from {time}. Check that the service runs."),
    "new": N_("The first verdict comes when its first five minutes have passed."),
}

REASONS: Mapping[str, str] = {
    "negative_spike": N_("{observed} negative in {minutes} min; usual at this hour: {expected}"),
    "volume_surge": N_(
        "Far more is said than usual: {observed} negative in {minutes} min, usual at this hour: {expected}"
    ),
    "unknown_surge": N_("Far more is said than usual, and most of it is of unknown tone"),
    "unknown_tones": N_("Most of what is said is of unknown tone: nobody can call that calm"),
    "few_voices": N_("Much that is negative, but of few voices: {observed} in {minutes} min count"),
    "new_source": N_("A new source brings much: its first day is not held against what was usual"),
    "other_crisis": N_("What is negative belongs to another crisis: {observed} in {minutes} min do not"),
    "settled": N_("What was negative was settled by somebody: {observed} in {minutes} min since"),
    "usual": N_("{observed} negative in {minutes} min; usual at this hour: {expected}"),
    "usual_share": N_("Much is said, but no more of it is negative than usual ({observed} in {minutes} min)"),
    "small_rise": N_("A little more than usual: {observed} negative in {minutes} min, usual {expected}"),
    "below_minimum": N_("{observed} negative in {minutes} min, too few to mean anything"),
    "poor_coverage": N_("Too few sources were heard ({coverage}) to judge"),
    "short_history": N_("Getting to know what is usual: {history} h heard so far"),
    "no_bins": N_("There is nothing to judge yet"),
}
"""Why a verdict is what it is: `Spike.reason`."""

SOURCES: Mapping[SourceState, str] = {
    "ok": N_("heard"),
    "late": N_("late"),
    "failing": N_("failing"),
    "silent": N_("silent"),
    "disabled": N_("switched off"),
}

INCIDENTS: Mapping[IncidentState, str] = {
    "open": N_("nobody is on it yet"),
    "acknowledged": N_("somebody is on it"),
    "resolving": N_("calming down"),
    "resolved": N_("resolved"),
}

SEVERITIES: Mapping[Severity, str] = {"notice": N_("Note"), "warning": N_("Warning"), "critical": N_("Critical")}

EVENTS: Mapping[EventKind, str] = {
    "opened": N_("Opened"),
    "escalated": N_("Getting worse"),
    "acknowledged": N_("Taken"),
    "resolved": N_("Resolved"),
    "noted": N_("Note"),
}

DELIVERIES: Mapping[DeliveryState, str] = {
    "pending": N_("on its way"),
    "delivered": N_("delivered"),
    "dead": N_("not delivered"),
}

ACTIONS: Mapping[Action, str] = {
    "trigger": N_("alert"),
    "escalate": N_("escalation"),
    "acknowledge": N_("acknowledgement"),
    "resolve": N_("all-clear"),
    "test": N_("test"),
    "system": N_("system alarm"),
}

ROLES: Mapping[Role, str] = {"viewer": N_("reads"), "responder": N_("responds"), "admin": N_("administers")}

RANGES: Mapping[Range, str] = {"day": N_("24 hours"), "week": N_("7 days"), "month": N_("30 days")}

WIDTHS: Mapping[Width, str] = {
    "300": N_("each bar: 5 minutes"),
    "3600": N_("each bar: 1 hour"),
    "day": N_("each bar: 1 day"),
}

ERRORS: Mapping[int, str] = {
    401: N_("Log in first"),
    403: N_("Not allowed"),
    404: N_("There is nothing here"),
    405: N_("Not possible here"),
    409: N_("It changed meanwhile"),
    413: N_("Too large"),
    422: N_("Something in it is wrong"),
    500: N_("Something went wrong on our side"),
}

ERROR_NOTES: Mapping[int, str] = {
    403: N_("Your key does not allow this, or the form is stale. Open the page again and repeat it."),
    404: N_("It does not exist, or your key does not cover it."),
    409: N_("Somebody else was faster. Open the page again and look before you decide."),
    422: N_("Go back and look over what you entered."),
    500: N_("It is written in the log. Try again in a moment."),
}
