"""Pages from templates: one file each, everything inline, and a policy that lets nothing else in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

STYLE = "report.css"


def render(template: str, context: Mapping[str, Any], scripts: Sequence[str] = (), *, connects: bool = False) -> str:
    """A template filled in; what comes from a study is escaped, and no script runs but the ones named here.

    Args:
        template: its file below templates/.
        context: what it shows.
        scripts: JavaScript files below templates/, inlined.
        connects: the page may ask the server that it came from (the live view).
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("harness.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    style, code = _source(STYLE), [_source(name) for name in scripts]
    return environment.get_template(template).render(
        **context,
        style=Markup(style),
        scripts=[Markup(text) for text in code],
        policy=policy(style, code, connects=connects),
    )


def policy(style: str, scripts: Sequence[str], *, connects: bool = False) -> str:
    """The Content-Security-Policy of a page: nothing but its own style, scripts and inline images."""
    rules = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hash(style),
        "script-src": " ".join(map(_hash, scripts)) or "'none'",
        "connect-src": "'self'" if connects else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def _source(name: str) -> str:
    return files("harness.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}'"
