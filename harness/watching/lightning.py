"""A Lightning callback that watches the module that is trained; needs the package lightning."""

from __future__ import annotations

from os import PathLike
from typing import Any

from harness.errors import HarnessError
from harness.watching.watch import Watch, watch

try:
    from lightning.pytorch import Callback
except ImportError:
    raise HarnessError("harness.watching.lightning needs the package lightning: pip install lightning") from None


class WatchCallback(Callback):  # type: ignore[misc]
    """`harness.watch` on the LightningModule, with a `step` after each update of its optimizer.

        watching = WatchCallback(every=100, to="results/mine")
        Trainer(callbacks=[watching]).fit(module, data)
        watching.watch.figure("heatmap")

    A fit that goes on from a checkpoint goes on with the record, too.

    Args:
        every, to: as of `harness.watch`.

    Attributes:
        watch: the watch; None before `fit`.
    """

    def __init__(self, every: int = 100, to: str | PathLike[str] | None = None) -> None:
        super().__init__()
        self.every, self.to = every, to
        self.watch: Watch | None = None
        self._updates = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._updates = trainer.global_step
        self.watch = watch(pl_module, every=self.every, to=self.to, start=self._updates)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.watch is not None and trainer.global_step > self._updates:  # not while gradients are accumulated
            self._updates = trainer.global_step
            self.watch.step()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self.watch is not None:
            self.watch.close()
