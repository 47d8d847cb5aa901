"""Pages from templates: one file each, everything inline, and a Content-Security-Policy that allows nothing else."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from harness.errors.text import printable

if TYPE_CHECKING:
    from markupsafe import Markup

STYLE = "report.css"
INDEX = re.compile(r"(?<![\w=|>&#])([A-Za-zα-ω])_([A-Za-z0-9]{1,3})(?!\w)")
EXPONENT = re.compile(r"(?<=[\w)>])\^([A-Za-z0-9−+]+)")
GREEK = re.compile(r"(?<![\w>])([α-ωΩ])(?![\w])(?!</i>)")


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
        finalize=_shown,
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


def _shown(value: Any) -> Any:
    """What a template prints: a text with its control characters and marks of direction written out."""
    from markupsafe import Markup

    return printable(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def typeset(text: str) -> Markup:
    """A sentence as HTML in which h_t has an index, ρ^lag an exponent, and both their letters in italics.

    Names of settings (`sequence_length`) are no formulas: an index stands at a single letter.
    """
    from markupsafe import Markup, escape

    html = str(escape(printable(text, lines=True)))
    html = INDEX.sub(r"<i>\1</i><sub>\2</sub>", html)
    html = EXPONENT.sub(r"<sup>\1</sup>", html)
    return Markup(GREEK.sub(r"<i>\1</i>", html))


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
