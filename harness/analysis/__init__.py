"""Forwards the import paths that plug-ins were told to use: `harness.analysis.labels`, `.style`, `.frames`, `.figures`.

The code is in `harness.study.labels`, `harness.statistics` and `harness.figures`; nothing else is here.
"""
