"""Noiseless memorisation: a pattern of 5 or of 20 bits, said again after a constant input of T steps.

Martens & Sutskever 2011, "Learning recurrent neural networks with Hessian-free optimization"; as in Pascanu,
Mikolov & Bengio 2013, appendix.
"""

from __future__ import annotations

from typing import Literal

from harness.study.spec import setting
from harness.tasks.copying import Recall


class Memorisation(Recall):
    """Five symbols of two kinds (5 bits), or ten of five (by name 20 bits, by count 23.2), said again after T blanks.

    The cue comes with the first answer. There are 2⁵ patterns of five bits in all, so that training sees every one of
    them; what is judged there is keeping, not generalising.
    """

    name: Literal["memorisation"] = setting(..., "which task", column="task")
    bits: Literal[5, 20] = setting(5, "5: five symbols of two kinds; 20: ten of five kinds")

    @property
    def pattern(self) -> tuple[int, int]:
        return (5, 2) if self.bits == 5 else (10, 5)

    @property
    def cue(self) -> int:
        return self.delay + self.pattern[0]
