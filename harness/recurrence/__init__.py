"""A cell over time: `scan` and its two engines, the recorder of adjoints, and the compiler of cells."""
