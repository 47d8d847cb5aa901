"""Numbers over seeds: results as data frames, intervals, survival, tests of a difference."""
