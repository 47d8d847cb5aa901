"""Recorded sequences: files read, cut into parts, standardised; and what can be said of them without memory.

sequences    what every reader returns, and the error that it raises
tables       long CSV and parquet, a row a step
arrays       npz and npy, (N, T, D)
ts           the text format of the UCR and UEA archives
parts        training, validation and test part; classes, scales and padding
levels       chance and the memoryless loss, from the training part
"""
