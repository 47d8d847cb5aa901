"""Lightning and Weights & Biases, against the packages themselves where they are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import harness

pytestmark = pytest.mark.filterwarnings("default")  # those of other packages

T, B, D, H = 6, 4, 2, 5


def test_lightning_records_updates_and_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch", reason="the extra lightning is not installed")
    from harness.watching.lightning import WatchCallback

    class Module(lightning.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = nn.LSTM(D, H, num_layers=2, batch_first=True)

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return self.recurrent(batch[0])[0][:, -1].square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    data = DataLoader(TensorDataset(torch.randn(10 * B, T, D)), batch_size=B)

    def fit(epochs: int, checkpoint: str | None = None) -> tuple[Any, WatchCallback]:
        callback = WatchCallback(every=2, to=tmp_path / "mine")
        trainer = lightning.Trainer(
            max_epochs=epochs, accumulate_grad_batches=2, callbacks=[callback], accelerator="cpu", logger=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        trainer.fit(Module(), data, ckpt_path=checkpoint)
        return trainer, callback

    trainer, callback = fit(1)  # ten batches are five updates
    assert callback.watch is not None
    assert callback.watch.frame["update"].unique().tolist() == [0, 2, 4]
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    fit(2, str(tmp_path / "last.ckpt"))
    gradients = harness.load(tmp_path / "mine").gradients()
    for call in (1, 2):  # of the two batches of an update
        rows = gradients[(gradients.layer == 2) & (gradients.call == call)]
        assert rows["update"].tolist() == [0, 2, 4, 6, 8]
    assert set(gradients.module) == {"recurrent"}


def test_weights_and_biases_gets_the_newest_records_offline(tmp_path: Path) -> None:
    wandb = pytest.importorskip("wandb", reason="the extra wandb is not installed")
    from harness.watching.wandb import log

    module = nn.GRU(D, H)
    watch = harness.watch(module, every=2)
    run = wandb.init(mode="offline", dir=str(tmp_path), project="watched")
    counts = []
    for _ in range(3):
        module(torch.randn(T, B, D))[0][-1].sum().backward()
        watch.step()
        counts.append(log(watch, run))
    watch.close()
    first = watch.frame.query("update == 2").set_index("t").log10_adjoint
    assert counts == [1, 0, 1]
    assert run.summary["gradients/model/1/forward/h/first"] == pytest.approx(first[1])
    assert run.summary["gradients/model/1/forward/h/slope"] == pytest.approx((first[1] - first[T]) / (T - 1))
    run.finish()
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_without_the_package_the_import_says_what_is_missing() -> None:
    code = (
        "import sys\nsys.modules['lightning'] = sys.modules['lightning.pytorch'] = None\nimport harness\n"
        "try:\n    import harness.watching.lightning\nexcept harness.HarnessError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install lightning" in done.stdout
