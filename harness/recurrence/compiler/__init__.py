"""Any cell compiled: its equations are traced, differentiated and emitted as machine code for its shapes.

Read in this order: `graph` (what is computed), `trace` (from a cell's equations to a graph), `program` (what a step
needs), `layout` and `arithmetic` (how it lies in memory and in vectors), `emission` (one pass over the units),
`forward`, `backward` and `outer` (the loops over time, and the gradients of weights), `native` and `stored` (machine
code, kept on disk), `kernel`, `forward_arrays` and `backward_arrays` (what the code runs on), `recurrence` (what `scan`
calls). docs/engine.md follows one cell through all of them.
"""
