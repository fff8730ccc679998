"""LoRA: small matrices that are trained beside a pretrained model's own, by the library peft."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from sparring.errors import PluginError

SCALE = 2  # what the matrices add is multiplied by it: `lora_alpha` divided by the rank, and 2 is usual


def adapt(model: Any, rank: int) -> dict[str, nn.Parameter]:
    """Put matrices of a rank beside every linear layer but the last one (Hu et al. 2021, arXiv:2106.09685).

    At first they add nothing.

    Args:
        model: A model of the library transformers, changed in place. Its own weights are frozen.
        rank: Of the matrices.

    Returns:
        The matrices, which alone are to be trained, by name.

    Raises:
        PluginError: The library peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as cause:
        raise PluginError("LoRA needs the library peft", remedy='`pip install "sparring-text[lora]"`') from cause
    settings = LoraConfig(r=rank, lora_alpha=SCALE * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fan_in_fan_out", UserWarning)  # peft corrects itself for GPT-2's layers
        inject_adapter_in_model(settings, model)
    return {
        name.replace(".", "/"): value.requires_grad_(True)
        for name, value in model.named_parameters()
        if "lora_" in name
    }
