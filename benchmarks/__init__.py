"""How fast the harness is, always as a ratio to something that ran beside it: `python -m benchmarks`.

sizes        the points of the grid: one factor at a time around a centre
measurement  one quantity at one point with its repeats; results.json
paired       what is compared runs in turn, in one process on one thread; a ratio comes from neighbours
problem      one training problem, the same for the harness and for its peers
own          the harness's training loop as something to time
peers/       the alternatives to the harness, one file each
flops        the arithmetic of a training step, counted
processes    whole processes, timed from outside
step, cells, parts, sweeps, fixed, growth      the sections, each a function that returns measurements
goals, reasons                                 a bound for each quantity, and why it is missed
tables, figure, page                           measurements → text, figure, docs/performance.md
"""
