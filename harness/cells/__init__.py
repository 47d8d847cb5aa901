"""What is trained: one file a cell. A new cell is one file, and one name in this table."""

from harness.cells import (
    antisymmetric,
    attention,
    cornn,
    deltanet,
    gru,
    indrnn,
    janet,
    lem,
    lipschitz,
    lru,
    lstm,
    lstm1997,
    minimal,
    module,
    orthogonal,
    rnn,
    selective,
    skip,
    slstm,
    window,
)
from harness.cells.cell import Cell

CELLS: dict[str, type[Cell]] = {
    "rnn": rnn.RNN,
    "lstm": lstm.LSTM,
    "gru": gru.GRU,
    "lstm1997": lstm1997.LSTM1997,
    "janet": janet.JANET,
    "indrnn": indrnn.IndRNN,
    "antisymmetric": antisymmetric.Antisymmetric,
    "orthogonal": orthogonal.Orthogonal,
    "mingru": minimal.MinGRU,
    "minlstm": minimal.MinLSTM,
    "lru": lru.LRU,
    "slstm": slstm.SLSTM,
    "s6": selective.S6,
    "deltanet": deltanet.DeltaNet,
    "cornn": cornn.CoRNN,
    "lem": lem.LEM,
    "lipschitz": lipschitz.Lipschitz,
    "skip": skip.Skip,
    "gated_skip": skip.GatedSkip,
    "window": window.Window,
}

# What a study that trains may choose as its model: cells, and networks that take a sequence as a whole.
NETWORKS: dict[str, type[Cell]] = {**CELLS, "attention": attention.Attention, "module": module.Module}
