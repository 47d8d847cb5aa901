"""Results on disk: one atomic commit a run (journal), and the tables derived from the commits. No torch."""
