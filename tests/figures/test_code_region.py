"""A region of the plane of codes: the plane is that of all codes, and only members are written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.errors import HarnessError
from harness.figures.code_region import code_region
from harness.figures.codes import principal

NAMES = ("kind",)


def table(n: int = 60) -> pd.DataFrame:
    """Months in one corner, dates in another."""
    draw = np.random.default_rng(0)
    kinds = ["month" if k % 2 else "date" for k in range(n)]
    codes = draw.normal(size=(n, 5)) + 20 * np.array([kind == "month" for kind in kinds])[:, None]
    return pd.DataFrame({
        "run_id": "r", "seed": 0, "text": [f"{kind} {k}" for k, kind in enumerate(kinds)],
        "labels": [[kind] for kind in kinds], "code": list(codes),
    })  # fmt: skip


def test_members_alone_are_written_at_their_place_in_the_plane_of_all_codes() -> None:
    frame = table()
    ax = code_region(frame, names=NAMES, by="kind", value="month").axes[0]
    points = principal(np.stack(frame["code"].tolist())).points
    texts = [text for text in ax.texts if text.get_text()]
    assert len(texts) > 5
    for text in texts:
        assert text.get_text().startswith("month ")
        assert text.xy == pytest.approx(tuple(points[int(text.get_text().split()[1])]))


def test_the_region_holds_nine_tenths_of_the_members_in_each_direction_and_no_other_corner() -> None:
    frame = table(400)
    ax = code_region(frame, names=NAMES, by="kind", value="month").axes[0]
    points = principal(np.stack(frame["code"].tolist())).points
    members = np.array([labels == ["month"] for labels in frame["labels"]])
    for axis, (low, high) in enumerate((ax.get_xlim(), ax.get_ylim())):
        inside = (points[:, axis] >= low) & (points[:, axis] <= high)
        assert inside[members].mean() >= 0.9
    assert ax.get_title().startswith("kind: month, ")
    shown, whole = ax.get_title().removeprefix("kind: month, ").split(" codes")[0].split(" of ")
    assert shown == whole


def test_no_two_texts_overlap() -> None:
    figure = code_region(table(400), names=NAMES, by="kind", value="month")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert not [1 for i, box in enumerate(boxes) for other in boxes[:i] if box.overlaps(other)]


@pytest.mark.parametrize(
    ("by", "value", "message"), [("kinds", "month", "no label 'kinds'"), ("kind", "mont", "did you mean 'month'")]
)
def test_what_is_not_there_is_named_with_the_nearest(by: str, value: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        code_region(table(), names=NAMES, by=by, value=value)
