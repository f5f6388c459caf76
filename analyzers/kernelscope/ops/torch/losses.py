"""Losses: a scalar by default, the input's shape (or the batch) with `reduction="none"`."""

from __future__ import annotations

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.ops.arguments import WITHOUT_BATCH, Lost, Value, known, tensor
from kernelscope.ops.families import per_input
from kernelscope.ops.modules import Module, module
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, ShapeError, same_size
from kernelscope.tensor.broadcasting import broadcast


def reduced(shape: Shape, reduction: Value) -> Shape:
    """A scalar, or with `none` the shape itself."""
    if not isinstance(reduction, str):
        raise Lost("how the loss is reduced is not known")
    return shape if reduction == "none" else Shape()


_ELEMENTWISE = {
    "mse_loss": "MSELoss",
    "l1_loss": "L1Loss",
    "smooth_l1_loss": "SmoothL1Loss",
    "huber_loss": "HuberLoss",
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "kl_div": "KLDivLoss",
    "soft_margin_loss": "SoftMarginLoss",
    "poisson_nll_loss": "PoissonNLLLoss",
}


_OF_PAIRS = {"binary_cross_entropy", "binary_cross_entropy_with_logits"}
"""Losses of scores each of which has a target of its own: nothing is repeated."""


def _each(input: Value, target: Value, of_pairs: bool, facts: Facts) -> Shape:
    one, other = tensor(input).shape, tensor(target).shape
    if of_pairs and None not in (one.rank, other.rank) and one.rank != other.rank:
        raise ShapeError("rank", f"scores {one} and targets {other} have different numbers of dims")
    return broadcast((one, other), facts)


def _declare(function: str, layer_name: str) -> None:
    @rule(f"F.{function}", name=function, dtype="promote", flops=per_input(4), label="loss")
    def loss(
        input: Value, target: Value, *args: Value, reduction: Value = "mean", facts: Facts = NO_FACTS, **options: Value
    ) -> Shape:
        return reduced(_each(input, target, function in _OF_PAIRS, facts), reduction)

    @module(layer_name, "*args, reduction='mean'", dtype="promote", flops=per_input(4), label="loss")
    def loss_layer(layer: Module, input: Value, target: Value, *, facts: Facts = NO_FACTS) -> Shape:
        return reduced(_each(input, target, function in _OF_PAIRS, facts), layer["reduction"])


for _function, _layer in _ELEMENTWISE.items():
    _declare(_function, _layer)


def _classified(input: Value, target: Value, reduction: Value, facts: Facts) -> Shape:
    """`n c *d` scores against `n *d` classes (or probabilities of the scores' own shape)."""
    scores, classes = tensor(input).shape, tensor(target).shape
    if scores.rank is None:
        return reduced(Shape.unknown(scores.reason), reduction)
    if scores.rank == 0:
        raise ShapeError("rank", "scores need an axis of classes")
    axis = 0 if scores.rank == 1 else 1
    if axis == 0 and classes.rank != 1 and not WITHOUT_BATCH.get():
        raise ShapeError("rank", "scores of one thing alone, without a batch")
    each = Shape((*scores.head[:axis], *scores.head[axis + 1 :]))
    wanted = scores if classes.rank == scores.rank else each
    if classes.rank is not None:
        if classes.rank != wanted.rank:
            raise ShapeError("rank", f"scores {scores} need classes {each}, got {classes}")
        for a, b in zip(wanted.head, classes.head, strict=True):
            if same_size(a, b, facts) is False:
                raise ShapeError("shape", f"scores {scores} need classes {wanted}, got {classes}")
    return reduced(each, reduction)


@rule("F.cross_entropy", flops=per_input(6), label="cross-entropy")
def cross_entropy(
    input: Value,
    target: Value,
    weight: Value = None,
    size_average: Value = None,
    ignore_index: Value = -100,
    reduce: Value = None,
    reduction: Value = "mean",
    label_smoothing: Value = 0.0,
    *,
    facts: Facts = NO_FACTS,
) -> Shape:
    """`n c *d` scores, `n *d` classes."""
    return _classified(input, target, reduction, facts)


@rule("F.nll_loss", flops=per_input(1), label="negative log-likelihood")
def nll_loss(
    input: Value,
    target: Value,
    weight: Value = None,
    size_average: Value = None,
    ignore_index: Value = -100,
    reduce: Value = None,
    reduction: Value = "mean",
    *,
    facts: Facts = NO_FACTS,
) -> Shape:
    """`n c *d` log-probabilities, `n *d` classes."""
    return _classified(input, target, reduction, facts)


@module("CrossEntropyLoss NLLLoss", "*args, reduction='mean'", flops=per_input(6), label="cross-entropy")
def cross_entropy_layer(layer: Module, input: Value, target: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """`n c *d` scores, `n *d` classes."""
    return _classified(input, target, layer["reduction"], facts)


@rule("F.cosine_embedding_loss F.margin_ranking_loss", dtype="promote", name="margin_ranking_loss", label="loss")
def margin_ranking_loss(
    input1: Value, input2: Value, target: Value, *args: Value, reduction: Value = "mean", **options: Value
) -> Shape:
    """The shape of the target unless reduced."""
    return reduced(tensor(target).shape, reduction)


@rule("F.triplet_margin_loss", dtype="promote", label="loss")
def triplet_margin_loss(
    anchor: Value, positive: Value, negative: Value, *args: Value, reduction: Value = "mean", **options: Value
) -> Shape:
    """One number for each row unless reduced."""
    return reduced(tensor(anchor).shape.replace_last(1), reduction)


@module("TripletMarginLoss", "*args, reduction='mean'", dtype="promote", label="loss")
def triplet_layer(layer: Module, anchor: Value, positive: Value, negative: Value) -> Shape:
    """One number for each row unless reduced."""
    return reduced(tensor(anchor).shape.replace_last(1), layer["reduction"])


@rule("F.ctc_loss", label="connectionist temporal classification")
def ctc_loss(
    log_probs: Value,
    targets: Value,
    input_lengths: Value,
    target_lengths: Value,
    blank: Value = 0,
    reduction: Value = "mean",
    zero_infinity: Value = False,
) -> Shape:
    """`t n c` log-probabilities; one number for each of `n` unless reduced."""
    dims = known(log_probs)
    return reduced(Shape(dims[1:2]), reduction)


@module("CTCLoss", "blank=0, reduction='mean', zero_infinity=False", label="connectionist temporal classification")
def ctc_layer(layer: Module, log_probs: Value, targets: Value, input_lengths: Value, target_lengths: Value) -> Shape:
    """`t n c` log-probabilities; one number for each of `n` unless reduced."""
    return reduced(Shape(known(log_probs)[1:2]), layer["reduction"])
