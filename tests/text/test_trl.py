"""A critic as the reward of TRL's trainers: its signature, and one real step of their GRPO."""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from sparring.spaces.label import LabelSpace
from sparring_text.networks.cnn import CNNDiscriminator
from tests.text.corpora import SENTENCES, batch_of, space_of

SPACE = space_of()
LABEL = LabelSpace(["low", "high"])


def critic(**conditions: Any) -> CNNDiscriminator:
    torch.manual_seed(0)
    return CNNDiscriminator(SPACE, conditions, embedding_dim=8, filters=4, widths=[2, 3])


def test_it_is_the_probability_of_being_real() -> None:
    network = critic().train()
    found = network.as_reward(SPACE)(
        prompts=["", "", ""], completions=[*SENTENCES[:2], "the cat " * 30], other=[1, 2, 3]
    )
    batch = batch_of(SPACE, SENTENCES[:2])
    logit = network.eval()(batch.sample, {}, batch.lengths)
    expected = torch.sigmoid(logit if isinstance(logit, torch.Tensor) else logit.logits[0]).tolist()
    assert found == pytest.approx([*expected, 0.0], abs=1e-6), "what is too long was never read"
    assert all(isinstance(value, float) for value in found)


def test_prompts_conversations_and_columns() -> None:
    network = critic(label=LABEL)
    reward = network.as_reward(SPACE, conditions={"label": LABEL}, prompts=True)
    whole = reward(["", ""], ["the cat sees me", "the cat sees me"], label=["low", "high"])
    parts = reward(["the cat", "the cat"], [" sees me", " sees me"], label=["low", "high"])
    said = reward(
        [[{"role": "user", "content": "the cat"}]] * 2,
        [[{"role": "assistant", "content": " sees me"}]] * 2,
        label=["low", "high"],
    )
    assert whole == parts == said
    assert whole[0] != whole[1]
    with pytest.raises(Exception, match="column 'label'"):
        reward([""], ["the cat sees me"])


def trl() -> ModuleType:
    """Import TRL's GRPO, or skip."""
    pytest.importorskip("trl", reason="TRL is not installed")
    try:
        return importlib.import_module("trl.trainer.grpo_trainer")
    except RuntimeError as cause:  # TRL wraps whatever one of its libraries raises
        pytest.skip(f"TRL cannot be imported: {cause}")


def test_trl_trains_a_language_model_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of GRPO: the critic is asked, its rewards are logged, and the model moves."""
    # An optional library of sound that transformers asks for, whose builds do not all load.
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    trainers = trl()
    import datasets
    import transformers

    from tests.text.pretrained_models import write_gpt2

    folder = write_gpt2(tmp_path / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    asked: list[list[float]] = []
    judge = critic().as_reward(SPACE)

    def reward(**given: Any) -> list[float]:
        asked.append(judge(**given))
        return asked[-1]

    trainer = trainers.GRPOTrainer(
        model=model,
        reward_funcs=reward,
        train_dataset=datasets.Dataset.from_dict({"prompt": ["the cat", "a dog"] * 4}),
        processing_class=tokenizer,
        args=trainers.GRPOConfig(
            output_dir=str(tmp_path / "out"),
            max_steps=2,
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=6,
            learning_rate=1e-2,
            logging_steps=1,
            report_to=[],
            use_cpu=True,
            bf16=False,
            save_strategy="no",
            disable_tqdm=True,
        ),
    )
    trainer.train()
    assert len(asked) == 2
    assert all(len(one) == 4 and all(0 <= value <= 1 and math.isfinite(value) for value in one) for one in asked)
    logged = [line["reward"] for line in trainer.state.log_history if "reward" in line]
    assert logged == pytest.approx([sum(one) / 4 for one in asked], abs=1e-5)
    assert any(not torch.equal(old, new.detach()) for old, new in zip(before, model.parameters(), strict=True))
