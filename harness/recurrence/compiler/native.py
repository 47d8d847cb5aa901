"""LLVM's intermediate representation → machine code in this process."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm
from llvmlite import ir


@dataclass(frozen=True)
class Processor:
    """What code is made for: LLVM's name and features of it, and the target."""

    triple: str
    name: str
    features: str

    @property
    def registers(self) -> int:
        """Vectors of 64 bytes that a register tile may take: three quarters of what there is."""
        return 24 if "+avx512f" in self.features.split(",") else 6


@cache
def host() -> Processor:
    """This machine."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    features["prefer-256-bit"] = False  # vectors of 64 bytes where there are registers for them
    return Processor(llvm.get_process_triple(), llvm.get_host_cpu_name(), features.flatten())


def target(processor: Processor) -> llvm.TargetMachine:
    """LLVM's code generator for a processor."""
    return llvm.Target.from_triple(processor.triple).create_target_machine(
        cpu=processor.name, features=processor.features, opt=2, jit=True
    )


def optimised(module: ir.Module, processor: Processor) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    """A module verified and simplified; loops are emitted as they should run, so that none is rewritten."""
    machine = target(processor)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    parsed.triple, parsed.data_layout = processor.triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    return parsed, machine


class Library:
    """Machine code of one function that takes the address of a table; called without the interpreter's lock."""

    def __init__(self, name: str, code: bytes, processor: Processor) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target(processor))  # owns the code
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self._function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._engine.get_function_address(name))

    def __call__(self, table: int) -> None:
        self._function(table)


def machine_code(module: ir.Module, processor: Processor) -> bytes:
    """The object file of a module."""
    parsed, machine = optimised(module, processor)
    return bytes(machine.emit_object(parsed))
