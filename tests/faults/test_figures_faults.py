"""Faults of figures and pages, by kind: code or words that break one part, surroundings, texts that act, clients."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, Literal
from warnings import catch_warnings, simplefilter

import matplotlib as mpl
import numpy as np
import pytest
from synthetic_results import SyntheticResults, figures

from harness.errors.guarding import Missing, attempt
from harness.errors.text import LONGEST_REASON
from harness.figures import style, texts
from harness.figures.kind import FigureKind
from harness.figures.rendering import render
from harness.figures.score import score
from harness.report import serving
from harness.report.explorer import tile_map
from harness.report.markup import typeset
from harness.report.page import html
from harness.study import labels


class Breaking(FigureKind):
    """A plug-in's figure that raises."""

    kind: Literal["breaking"]

    def draw(self, frames: Any, study: Any) -> Any:
        raise self.error()

    def error(self) -> BaseException:
        return ValueError("x" * 10_000)

    def caption(self, study: Any) -> str:
        return ""


class Leaving(Breaking):
    def error(self) -> BaseException:
        return SystemExit(0)


class Speechless(Breaking):
    def caption(self, study: Any) -> str:
        raise KeyError("caption")

    def draw(self, frames: Any, study: Any) -> Any:
        return score(frames.runs)


class Wordless(Speechless):
    def caption(self, study: Any) -> Any:
        return None


class Empty(Breaking):
    def draw(self, frames: Any, study: Any) -> Any:
        return None


@pytest.mark.parametrize("kind", [Breaking, Leaving, Speechless, Wordless, Empty])
def test_a_figure_that_raises_costs_itself_alone(
    synthetic: SyntheticResults, tmp_path: Path, kind: type[FigureKind]
) -> None:
    study = replace(synthetic.study, figures=(kind(kind="breaking"), *figures({"kind": "success"})))
    drawings, notes = render(study, synthetic.frames, tmp_path, ("png",))
    assert [each.name for each in drawings] == ["success"]
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["success.png"]
    (note,) = notes
    assert note.startswith("Figure 'breaking' is missing: ")
    assert len(note) < LONGEST_REASON + 100


def test_a_figure_of_no_point_of_the_grid_says_so(synthetic: SyntheticResults, tmp_path: Path) -> None:
    study = replace(synthetic.study, figures=figures({"kind": "decay", "where": {"sequence_length": 77}}))
    _, notes = render(study, synthetic.frames, tmp_path, ("png",))
    assert notes == ["Figure 'decay' is missing: no point of the grid has sequence_length=77."]


def test_an_interrupt_is_no_missing_part() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupted)


def test_an_exception_without_a_text_is_named_by_its_type() -> None:
    def failing() -> None:
        raise RuntimeError

    assert attempt(failing) == Missing("RuntimeError")


@pytest.mark.parametrize("word", [r"$\frac$", r"$x$y$\bad{$", "_^_$_$", "", " ", "\u202eabc", "a\x1b[31mb"])
def test_words_of_a_study_are_no_formulas_and_no_commands(frames: Any, word: str) -> None:
    runs = frames.runs.assign(cell=frames.runs["cell"].replace("rnn", word))
    figure = score(runs, hue="cell")
    style.encode(figure, "svg")
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(entries) == 3  # both cells and chance: none is taken for a hidden label
    assert not any(sign in entry for entry in entries for sign in "\u202e\x1b")


def test_a_font_without_a_sign_is_a_note_and_no_warning(synthetic: SyntheticResults, tmp_path: Path) -> None:
    frames = replace(synthetic.frames, runs=synthetic.frames.runs.replace({"cell": {"rnn": "日"}}))
    study = replace(synthetic.study, figures=figures({"kind": "success"}))
    with catch_warnings():
        simplefilter("error")
        drawings, notes = render(study, frames, tmp_path, ("png",))
    assert len(drawings) == 1
    assert notes == ["Figure 'success': its font has no sign for U+65E5; `font:` names another."]


@pytest.fixture(scope="module")
def plain(synthetic: SyntheticResults) -> bytes:
    """A figure among matplotlib's own settings."""
    return style.encode(score(synthetic.frames.runs), "png")


@pytest.mark.parametrize("setting", [
    {"savefig.bbox": "tight"}, {"axes.facecolor": "black"}, {"lines.linestyle": "--"}, {"text.usetex": True},
    {"axes.prop_cycle": mpl.cycler(color=["r"])}, {"savefig.transparent": True}, {"font.family": ["serif"]},
])  # fmt: skip
def test_no_setting_of_matplotlib_around_a_figure_changes_it(
    frames: Any, plain: bytes, setting: dict[str, Any]
) -> None:
    with mpl.rc_context(setting):
        assert style.encode(score(frames.runs), "png") == plain


def test_texts_that_act_are_written_out_in_a_page(synthetic: SyntheticResults) -> None:
    study = replace(synthetic.study, claim="safe \u202e\x1b[31m<b>claim</b>")
    text = html(study, synthetic.frames, [], [], {"host\u2066": "a\x07b"}, ["note\u200f"])
    assert not any(sign in text for sign in "\u202e\x1b\u2066\x07\u200f")
    assert "\\u202e" in text
    assert "<b>claim" not in text


def test_captions_are_typeset_and_names_of_settings_are_not() -> None:
    text = str(typeset("‖∂L/∂h_t‖ falls as ρ^lag at sequence_length=<20> with σ_w"))
    assert "<i>h</i><sub>t</sub>" in text
    assert "<i>ρ</i><sup>lag</sup>" in text
    assert "<i>σ</i><sub>w</sub>" in text
    assert "sequence_length=&lt;20&gt;" in text


def test_tiles_are_the_means_of_their_steps(frames: Any) -> None:
    rows = frames.select({"cell": "lstm", "sequence_length": 100, "bptt_window": None}).gradients
    drawn = tile_map(rows)
    first = rows[rows["update"] == 0]
    mean = np.stack([np.asarray(each, dtype=float) for each in first["log10_adjoint"]]).mean(axis=0)
    parts = np.split(mean, [start - 1 for start in drawn["t"][1:]])
    assert drawn["tiles"][0] == [round(10 * float(part.mean())) for part in parts]


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection((serving.HOST, port), timeout=5) as client:
        client.sendall(request)
        return client.recv(100)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A live server with a page and a short patience."""

    class Page:
        text = b"page" * 1_000_000

        def progress(self) -> dict[str, int]:
            return {"done": 1}

    monkeypatch.setattr(serving, "CLIENT_SECONDS", 0.3)
    with serving.server(Page()) as server:  # type: ignore[arg-type]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_client_that_sends_half_a_request_is_let_go(live: Any) -> None:
    assert raw(live.server_port, b"GET / HTTP/1.1\r\nX: ") == b""  # closed by the server, within its patience


def test_a_client_that_leaves_leaves_no_traceback(live: Any, capfd: pytest.CaptureFixture[str]) -> None:
    host = f"Host: {serving.HOST}:{live.server_port}\r\n".encode()
    for _ in range(5):
        with socket.create_connection((serving.HOST, live.server_port), timeout=5) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # closed by a reset
            client.sendall(b"GET / HTTP/1.1\r\n" + host + b"\r\n")
    assert b"200" in raw(live.server_port, b"GET /progress.json HTTP/1.1\r\n" + host + b"\r\n")
    assert "Traceback" not in capfd.readouterr().err


def test_words_are_not_joined_by_a_line_and_numbers_are(frames: Any) -> None:
    def joined(x: str, hue: str | None) -> bool:
        return any(len(each.get_xdata()) > 1 and each.get_linestyle() == "-" for each in score(
            frames.runs, metric="success_rate", x=x, hue=hue).axes[0].lines)  # fmt: skip

    assert joined("sequence_length", "cell")
    assert not joined("cell", None)


CAPTIONS: dict[str, Callable[[str], bool]] = {
    "success": lambda text: "over seeds" in text and "over runs" not in text,
    "decay": lambda text: "sigmoid" not in text and "ρ^lag" in text,
}


@pytest.mark.parametrize("name", CAPTIONS)
def test_a_caption_says_what_is_drawn(synthetic: SyntheticResults, name: str) -> None:
    (figure,) = figures({"kind": name})
    assert CAPTIONS[name](figure.described(synthetic.study))


def test_a_loss_has_the_unit_of_the_tasks() -> None:
    from harness.figures.appearance import Appearance, use

    with use(Appearance(loss="nats")):
        assert texts.loss_named("final loss (nats, or squared error)") == "final loss (nats)"


def test_a_null_is_named_by_what_it_means() -> None:
    assert labels.value("forget_bias", None) == "drawn"
    assert labels.value("clip_norm", None) == "never"
    assert labels.value("bptt_window", None) == "full"


def test_own_palette_order_size_and_letters(synthetic: SyntheticResults) -> None:
    (figure,) = figures({
        "kind": "success", "palette": {"rnn": "#ff0000"}, "order": {"cell": ["lstm", "rnn"]}, "size": [5, 3],
        "font_size": 12,
    })  # fmt: skip
    drawn = figure.drawn(synthetic.frames, synthetic.study)
    (legend,) = drawn.legends
    assert [text.get_text().split()[0] for text in legend.get_texts()][:2] == ["lstm", "rnn"]
    assert legend.get_lines()[1].get_color() == "#ff0000"
    assert tuple(drawn.get_size_inches()) == (5, 3)
    assert drawn.axes[0].xaxis.label.get_fontsize() == 12
