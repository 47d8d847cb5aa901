"""Draws results/gallery/watch.png by the block of docs/watch.md that shows it: python docs/draw_watch.py."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image

DOCS = Path(__file__).parent
PATH = DOCS.parent / "results" / "gallery" / "watch.png"
WIDTH = 1100  # pixels


def png() -> bytes:
    """The picture; the same page gives the same bytes."""
    blocks = re.findall(r"^```python\n(.+?)^```", (DOCS / "watch.md").read_text(), re.DOTALL | re.MULTILINE)
    [block] = [text.partition('.savefig("both.png")')[0] for text in blocks if "both.png" in text]
    space: dict[str, Any] = {}
    torch.manual_seed(0)
    block = block.replace("gradients.figure(", "picture = gradients.figure(")
    exec(f"import harness, torch\nfrom torch import nn\n{block}", space)
    figure, drawn, small = space["picture"], BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=WIDTH / figure.get_figwidth())
    Image.open(drawn).convert("RGB").save(small, "png", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    PATH.write_bytes(png())
    print(f"{PATH.relative_to(DOCS.parent)}: {PATH.stat().st_size:,} bytes")
