"""FLOPs and bytes: a multiply-add is two, every operand is read once and the result written once."""

from __future__ import annotations

from typing import Any

import pytest
from kernelscope.dims import parse
from kernelscope.ops import apply, build, call, cost
from kernelscope.ops.registry import Cost
from kernelscope.tensor import DTYPES, Shape, Tensor


def t(*sizes: int | str) -> Tensor:
    return Tensor(Shape.of(*sizes), DTYPES["bfloat16"])


def cost_of(name: str, *args: Any, **kwargs: Any) -> Cost:
    found = cost(name, args, kwargs, apply(name, args, kwargs))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "args", "flops", "moved"),
    [
        ("torch.matmul", (t("M", "K"), t("K", "N")), "2*M*K*N", "2*(M*K + K*N + M*N)"),
        ("torch.nn.functional.linear", (t("B", "S", "H"), t("F", "H")), "2*B*S*H*F", "2*(B*S*H + F*H + B*S*F)"),
        ("torch.bmm", (t("B", "M", "K"), t("B", "K", "N")), "2*B*M*K*N", "2*B*(M*K + K*N + M*N)"),
        ("torch.add", (t("B", "H"), t("H")), "B*H", "2*(2*B*H + H)"),
        ("torch.sum", (t("B", "H"), -1), "B*H", "2*(B*H + B)"),
        ("torch.einsum", ("bqd,bkd->bqk", t("B", "Q", "D"), t("B", "K", "D")), "2*B*Q*K*D", "2*B*(Q*D + K*D + Q*K)"),
        ("torch.Tensor.transpose", (t("M", "K"), 0, 1), "0", "0"),
        (
            "torch.nn.functional.scaled_dot_product_attention",
            (t("B", "h", "L", "d"), t("B", "h", "S", "d"), t("B", "h", "S", "d")),
            "4*B*h*L*S*d",
            "2*B*h*(2*L*d + 2*S*d)",
        ),
        ("torch.nn.functional.conv2d", (t("N", 3, 8, 8), t(16, 3, 3, 3)), "2*N*16*6*6*27", "2*(N*192 + 432 + N*576)"),
    ],
)
def test_costs_of_functions(name: str, args: tuple[Any, ...], flops: str, moved: str) -> None:
    found = cost_of(name, *args)
    assert found.flops == parse(flops)
    assert found.bytes == parse(moved)


def test_layers_cost_what_their_weights_say() -> None:
    layer = build("torch.nn.Linear", (64, 256))
    x = t("T", 64)
    found = cost("torch.nn.Linear.forward", (layer, x), {}, call(layer, (x,)))  # pyright: ignore[reportArgumentType]
    assert found is not None
    assert found.flops == parse("2*T*64*256")
    assert found.bytes == parse("2*T*64 + 4*64*256 + 4*256 + 2*T*256")  # weights are float32 unless said otherwise
