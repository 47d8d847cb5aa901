"""Pages from templates: one file each, everything inline, and a Content-Security-Policy that allows nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

STYLE = "report.css"


def fill_template(
    template: str, context: Mapping[str, Any], scripts: Sequence[str] = (), *, connects: bool = False
) -> str:
    """Fill in a template; text from a study is escaped, and no script can run but those named here.

    Args:
        template: its file below templates/.
        context: its variables.
        scripts: JavaScript files below templates/, inlined.
        connects: whether the page may send requests to the server that it came from (the live view).
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
    """The Content-Security-Policy of a page: its own style, scripts and inline images, and nothing else.

    The style and the scripts are named by their hashes, so that markup injected through a study's text has no effect.
    """
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
