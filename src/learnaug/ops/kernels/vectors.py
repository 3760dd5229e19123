"""Many bytes at once, where LLVM does not see it in a loop.

`lookup64` needs AVX-512 VBMI (Intel since 2019, AMD since 2022; `AVAILABLE` says so) and is eight
times as fast as a loop over the table. `reverse16` is a shuffle that every processor has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
import llvmlite.ir as ir
import numba
from numba.core import types
from numba.extending import intrinsic

__all__ = ["AVAILABLE", "BLOCK", "LINE", "lookup64", "reverse16"]

BLOCK, LINE = 64, 16  # bytes
_BLOCK = ir.VectorType(ir.IntType(8), BLOCK)
_LINE = ir.VectorType(ir.IntType(8), LINE)
_PERMUTE = "llvm.x86.avx512.vpermi2var.qi.512"


def _available() -> bool:
    # Who asks Numba for another processor than this one gets what every processor has.
    asked = numba.config.CPU_NAME or numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    return not asked and bool(llvmlite.binding.get_host_cpu_features().get("avx512vbmi"))


AVAILABLE = _available()


def _places(
    context: Any, builder: Any, signature: Any, args: Any, vector: ir.VectorType
) -> Callable[[int, Any], Any]:
    """Return what gives the address of the vector at a byte of the array that is an argument."""

    def place(number: int, at: Any) -> Any:
        array = context.make_array(signature.args[number])(context, builder, args[number])
        return builder.bitcast(builder.gep(array.data, [at]), vector.as_pointer())

    return place


@intrinsic
def _lookup64(typing: Any, table: Any, src: Any, out: Any, at: Any) -> Any:
    """Write out[at : at + 64] = table[src[at : at + 64]]; uint8 [256], [n] and [n]."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _places(context, builder, signature, args, _BLOCK)
        values = builder.load(place(1, args[3]), align=1)
        quarter = [
            builder.load(place(0, ir.Constant(ir.IntType(64), BLOCK * i)), align=1)
            for i in range(4)
        ]
        permute = builder.module.declare_intrinsic(
            _PERMUTE, fnty=ir.FunctionType(_BLOCK, [_BLOCK] * 3)
        )
        # The permutation reads the lower seven bits of a value; the eighth chooses the half.
        lower = builder.call(permute, [quarter[0], values, quarter[1]])
        upper = builder.call(permute, [quarter[2], values, quarter[3]])
        high = builder.icmp_signed("<", values, ir.Constant(_BLOCK, [0] * BLOCK))
        builder.store(builder.select(high, upper, lower), place(2, args[3]), align=1)
        return context.get_dummy_value()

    return types.void(table, src, out, types.intp), build


@intrinsic
def _reverse16(typing: Any, src: Any, out: Any, at: Any, to: Any) -> Any:
    """Write out[to : to + 16] = src[at : at + 16] backwards; uint8 [n] and [m]."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _places(context, builder, signature, args, _LINE)
        values = builder.load(place(0, args[2]), align=1)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LINE), list(range(LINE))[::-1])
        builder.store(builder.shuffle_vector(values, values, mask), place(1, args[3]), align=1)
        return context.get_dummy_value()

    return types.void(src, out, types.intp, types.intp), build


# Called without the first argument, which Numba gives.
lookup64: Any = _lookup64
reverse16: Any = _reverse16
