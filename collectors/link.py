"""Where a thing stands on the web: absolute, http(s), without tracking marks, never an aggregator's detour."""

import re
from urllib.parse import parse_qs, urljoin, urlsplit, urlunsplit

from collectors.text import AUTHOR_LIMIT, clean

URL_LIMIT = 2_048

# Marks that say how a reader came here, not where the page is. Prefixes, then whole names (what browsers and feed
# readers strip: Google, Microsoft, Meta, X, TikTok, LinkedIn, Yandex, and the mailing houses).
_TRACKING_PREFIXES = ("utm_", "mtm_", "pk_", "piwik_", "matomo_", "hsa_")
_TRACKING = frozenset(
    (
        "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "srsltid", "msclkid", "yclid", "ysclid", "twclid",
        "ttclid", "li_fat_id", "igshid", "igsh", "mc_cid", "mc_eid", "mc_tc", "_hsenc", "_hsmi", "__hssc", "__hstc",
        "__hsfp", "hsctatracking", "mkt_tok", "vero_id", "vero_conv", "oly_enc_id", "oly_anon_id", "wickedid",
        "rb_clickid", "s_kwcid", "ml_subscriber", "ml_subscriber_hash", "epik", "_openstat", "xtor", "ns_source",
        "ns_mchannel", "ns_campaign", "ns_linkname", "ga_source", "ga_medium", "ga_campaign", "ga_term",
        "ga_content", "spm", "scid", "sc_cid", "cmpid",
    )
)  # fmt: skip
_TRACKING_FRAGMENT = re.compile(r"(?:xtor|utm_[a-z]+|at_medium|ftag)=", re.IGNORECASE)

_ABSOLUTE = re.compile(r"https?://[^/?#]")
# Bing News and Google Alerts: the address meant stands in the parameter `url` or `q`.
_DETOUR = re.compile(r"https?://(?:www\.)?(?:bing\.com/news/apiclick\.aspx|google\.[a-z.]{2,6}/url)\?", re.IGNORECASE)


def web_link(raw: str | None, base: str) -> str | None:
    """The absolute http(s) address that `raw` means on a page at `base`; None when it means none, or one too long."""
    text = _bare(raw)
    if not text or text.rstrip("/") in ("http:", "https:"):
        return None
    try:
        return _unmarked(_direct(text if _ABSOLUTE.match(text) else urljoin(base, text)))
    except ValueError:
        return None


def handle(name: str, profile: str) -> str | None:
    """`name@host`: who somebody is everywhere, where each server has names of its own. None without a name."""
    name = " ".join(clean(name, AUTHOR_LIMIT).split())
    home = urlsplit(web_link(profile, "") or "").hostname
    return (f"{name}@{home}" if home and "@" not in name else name) or None


def _bare(raw: str | None) -> str:
    """As browsers do: line ends inside an address are dropped, spaces are escaped."""
    if not raw or len(raw) > 4 * URL_LIMIT:
        return ""
    text = clean(raw.replace("\n", "").replace("\r", "").replace("\t", ""), 4 * URL_LIMIT).replace(" ", "%20")
    return f"http://{text}" if text.startswith("www.") else text


def _direct(url: str) -> str:
    """The address behind an aggregator's detour, where it stands in the link itself."""
    if not _DETOUR.match(url):
        return url
    query = parse_qs(urlsplit(url).query)
    return next((value for name in ("url", "q") for value in query.get(name, ()) if _ABSOLUTE.match(value)), url)


def _unmarked(url: str) -> str | None:
    scheme, netloc, path, query, fragment = urlsplit(url)
    if scheme not in ("http", "https") or not netloc.rpartition("@")[2] or len(url) > URL_LIMIT:
        return None
    if "@" in netloc:  # what stands before the @ is there to deceive a reader
        netloc = netloc.rpartition("@")[2]
    elif not query and not fragment:
        return url
    if query:
        query = "&".join(part for part in query.split("&") if not _is_tracking(part))
    if _TRACKING_FRAGMENT.match(fragment):
        fragment = ""
    return urlunsplit((scheme, netloc, path, query, fragment))


def _is_tracking(parameter: str) -> bool:
    name = parameter.partition("=")[0].lower().removeprefix("amp;")
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)
