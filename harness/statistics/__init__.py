"""Statistics over seeds: results as data frames, intervals, survival curves, tests of a difference."""
