"""Any cell compiled: its equations are traced, differentiated and emitted as machine code for its shapes.

Read in this order: `graph` (what is computed), `trace` (from a cell's equations to a graph), `program` (what a step
needs), `emission` and `loops` (from a program to LLVM's intermediate representation), `native` (from there to machine
code, kept on disk), `recurrence` (what `scan` calls). docs/engine.md follows one cell through all of them.
"""
