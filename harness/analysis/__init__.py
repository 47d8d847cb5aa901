"""What the data show: tables to frames, frames to statistics, verdicts, figures and one page.

    tables → frames.Frames → expectations.judge → Verdict    → summary (terminal), page (report.html)
                           → figures.FIGURES[kind].draw      → rendering (PDF, PNG), page

A new figure kind is one file in `figures/` and one line in its table; a new metric one entry of `metrics.METRICS`.
"""
