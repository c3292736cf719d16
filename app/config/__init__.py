"""What is watched: avizor.toml read, compared with what is stored, and applied.

    avizor.toml -> load_config -> Config -> plan -> Plan -> apply -> storage

The specs are the API's as well: whatever way a brand comes in, it is held to the same words.
"""

from app.config.budget import refusal
from app.config.load import Config, load_brands, load_config, read_config
from app.config.plan import Plan, apply, plan
from app.config.spec import BrandSpec, ChannelSpec, PolicySpec, SourceSpec, slugify
from app.config_file import ConfigError, Problem

__all__ = [
    "BrandSpec",
    "ChannelSpec",
    "Config",
    "ConfigError",
    "Plan",
    "PolicySpec",
    "Problem",
    "SourceSpec",
    "apply",
    "load_brands",
    "load_config",
    "plan",
    "read_config",
    "refusal",
    "slugify",
]
