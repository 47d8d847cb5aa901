"""The report page, the index over all reports, the live page, and exports (LaTeX, TensorBoard, text)."""
