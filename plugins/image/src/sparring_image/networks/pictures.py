"""Conditions that are pictures: what networks that look at pictures ask of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.space import Space
from sparring_image.networks.sizes import image_shape


def pictures_among(conditions: Mapping[str, Space], space: Space, network: str) -> dict[str, int]:
    """Return the channels of each condition, all of which must be pictures of the samples' height and width.

    Args:
        conditions: The conditions' spaces; none is allowed.
        space: The samples' space.
        network: The name of the network that asks, for messages.

    Raises:
        DataError: A condition is no picture, or one of another size.
    """
    _, height, width = image_shape(space, network)
    for name, one in conditions.items():
        if len(one.shape) != 3 or one.shape[1:] != (height, width):
            raise DataError(
                f"{network} looks at pictures of the samples' size, {height}x{width}, and the condition '{name}' has "
                f"the shape {one.shape}",
                remedy="use data whose conditions are such pictures, or a network that takes this condition",
            )
    return {name: one.shape[0] for name, one in conditions.items()}


def pictures_needed(conditions: Mapping[str, Space], space: Space, network: str) -> dict[str, int]:
    """Return the channels of each condition, as ``pictures_among`` does, and at least one of them.

    Raises:
        DataError: There is none, or one that is no picture.
    """
    if not conditions:
        raise DataError(
            f"{network} makes pictures from pictures, and the data carry no condition",
            remedy="use data with the condition `image`, such as image/emoji-pairs or image/masked",
        )
    return pictures_among(conditions, space, network)


def joined(condition: Condition, names: Sequence[str], network: str) -> Tensor:
    """Return conditions side by side along the channels: ``(B, C1 + C2 + …, H, W)``.

    Raises:
        TrainingError: One is missing.
    """
    missing = [name for name in names if name not in condition]
    if missing:
        raise TrainingError(
            f"{network} was built for the conditions {', '.join(names)}, and was given no {', '.join(missing)}",
            remedy="pass every condition that the data have: condition={'image': tensor of (B, C, H, W)}",
        )
    return torch.cat([condition[name] for name in names], dim=1)
