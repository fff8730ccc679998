"""Optimisers, in their fastest form, and the correction that lazy updates ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

# Where torch computes a whole step in one kernel. Elsewhere the foreach form is the next best.
_FUSED_DEVICES = frozenset({"cpu", "cuda", "mps", "xpu"})


def sgd(
    parameters: Iterable[nn.Parameter],
    lr: float = 0.01,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """Stochastic gradient descent, with momentum if asked.

    Args:
        parameters: What to train.
        lr: The learning rate.
        momentum: How much of the last step's direction is kept, in [0, 1).
        weight_decay: The weight of an L2 penalty.
        nesterov: Look ahead along the momentum (Nesterov, 1983).
    """
    chosen = list(parameters)
    fused = _fusible(chosen)
    return SGD(
        chosen, lr, float(momentum), weight_decay=weight_decay, nesterov=nesterov, fused=fused, foreach=not fused
    )


def adam(
    parameters: Iterable[nn.Parameter],
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> Optimizer:
    """Adam (Kingma and Ba, 2015). GANs mostly want ``betas: [0, 0.99]`` or ``[0.5, 0.999]``.

    Args:
        parameters: What to train.
        lr: The learning rate.
        betas: The decay of the running mean of gradients and of their squares, each in [0, 1).
        eps: Added to the denominator.
        weight_decay: The weight of an L2 penalty.
    """
    chosen = list(parameters)
    fused = _fusible(chosen)
    return Adam(chosen, lr, _floats(betas), eps, weight_decay, fused=fused, foreach=not fused)


def adamw(
    parameters: Iterable[nn.Parameter],
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> Optimizer:
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter, 2019).

    Args:
        parameters: What to train.
        lr: The learning rate.
        betas: The decay of the running mean of gradients and of their squares, each in [0, 1).
        eps: Added to the denominator.
        weight_decay: The share of each weight, times ``lr``, that a step takes away.
    """
    chosen = list(parameters)
    fused = _fusible(chosen)
    return AdamW(chosen, lr, _floats(betas), eps, weight_decay, fused=fused, foreach=not fused)


def rmsprop(
    parameters: Iterable[nn.Parameter],
    lr: float = 0.01,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> Optimizer:
    """RMSprop (Tieleman and Hinton, 2012). The clipped WGAN wants it, without momentum.

    Args:
        parameters: What to train.
        lr: The learning rate.
        alpha: The decay of the running mean of squared gradients, in [0, 1).
        eps: Added to the denominator.
        momentum: How much of the last step's direction is kept, in [0, 1).
        weight_decay: The weight of an L2 penalty.
    """
    # torch has no fused form of it.
    return RMSprop(
        list(parameters), lr, float(alpha), eps, weight_decay=weight_decay, momentum=float(momentum), foreach=True
    )


def lazy_correction(updates_every: Sequence[int]) -> float:
    """Return StyleGAN2's correction for an optimiser that several updates share (Karras et al., 2020, appendix B).

    An optimiser that takes one update at every step and a lazy one at every k-th takes 1 + 1/k steps a training step;
    c = 1 / (1 + 1/k) undoes that. With k = 16, c = 16/17.

    Args:
        updates_every: The ``every`` of each update that the optimiser takes part in.

    Returns:
        c in (0, 1], by which to multiply the learning rate, and to whose power to raise the betas. It is 1 where one
        update is alone, or where none is lazy.
    """
    if len(updates_every) < 2 or max(updates_every) == 1:
        return 1.0
    return 1 / sum(1 / every for every in updates_every)


def correct_for_lazy_updates(optimizer: Optimizer, updates_every: Sequence[int]) -> float:
    """Correct an optimiser's learning rates and betas in place for the updates that share it. Call it once.

    Args:
        optimizer: The optimiser.
        updates_every: The ``every`` of each update that it takes part in.

    Returns:
        The factor that its learning rates were multiplied by, for schedules that set them anew.
    """
    # Plain SGD needs no correction: its steps add up, and a lazy update's loss, which is scaled by its ``every``,
    # adds in one step what it would have added in k. Adam and RMSprop divide each step by the gradient's own size, so
    # an additional update is an additional step of full length.
    if not any("betas" in group or "alpha" in group for group in optimizer.param_groups):
        return 1.0
    factor = lazy_correction(updates_every)
    for group in optimizer.param_groups:
        group["lr"] *= factor
        if "betas" in group:
            group["betas"] = tuple(beta**factor for beta in group["betas"])
        else:
            group["alpha"] **= factor
    return factor


def _fusible(parameters: Sequence[nn.Parameter]) -> bool:
    return all(parameter.device.type in _FUSED_DEVICES and parameter.is_floating_point() for parameter in parameters)


def _floats(betas: tuple[float, float]) -> tuple[float, float]:
    # YAML reads `betas: [0, 0.99]` with an integer, which torch refuses.
    return float(betas[0]), float(betas[1])
