"""How fast the harness is, always as a ratio to something that ran beside it: `python -m benchmarks`.

sizes      the points of the grid: one factor at a time around a centre
paired     what is compared runs in turn, in one process on one thread; a ratio comes from neighbours
problem    one training problem, the same for the harness and for its peers
peers/     what one would use instead, one file each
flops      the arithmetic of a training step, counted
step, parts, sweeps, fixed, growth      the sections, each a function that returns measurements
goals      what is wanted of which measurement, and the reasons where it is missed
tables, figure, page      measurements → text, figure, docs/performance.md
"""
