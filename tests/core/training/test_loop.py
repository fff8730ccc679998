"""What the training loop does in each step: which updates, which gradients, which values, and what it writes."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sparring import hookimpl
from sparring.api import train
from sparring.errors import RecipeError, TrainingError
from sparring.training.constraints import WeightClip
from sparring.training.ledger import Ledger
from sparring.training.schedules import Cosine, Exponential, Linear
from tests.core.training import golden
from tests.core.training.running import EVALUATE, PARTS, SAMPLES, Watch, lines, logged, steps_saved, tensors, tiny

SGD = {"use": "sgd", "lr": 0.1}
PLAIN = {"generator": SGD, "discriminator": SGD}


def test_golden_losses(tmp_path: Path) -> None:
    expected = json.loads(golden.FILE.read_text(encoding="utf-8"))
    found = golden.losses(tmp_path / "run")
    assert len(found) == len(expected) == golden.STEPS
    how = "if this is meant: OMP_NUM_THREADS=1 python -m tests.core.training.golden"
    for step, (now, before) in enumerate(zip(found, expected, strict=True)):
        assert now == pytest.approx(before, rel=1e-4, abs=1e-5), f"step {step}; {how}"


# ---- which updates ----


def counted(recipe: dict[str, Any], folder: Path) -> Counter[str]:
    taken: Counter[str] = Counter()
    train(
        recipe, out=folder, plugins=[PARTS], listeners=[Watch(lambda run, update, terms: taken.update([update.name]))]
    )
    return taken


@pytest.mark.parametrize(("every", "repeat"), [(1, 1), (2, 2), (3, 1), (20, 3)])
def test_every_and_repeat(every: int, repeat: int, tmp_path: Path) -> None:
    objective = {"use": "parts/uneven", "every": every, "repeat": repeat}
    taken = counted(tiny({"objective": objective}), tmp_path / "run")
    assert taken == {"critic": math.ceil(10 / every) * repeat, "maker": 10}


def test_discriminator_steps_and_lazy_terms(tmp_path: Path) -> None:
    terms = [{"use": "r1", "every": 4}, {"use": "r2", "every": 4, "weight": 2.0}, {"use": "r1", "name": "always"}]
    objective = {"use": "adversarial", "loss": "hinge", "discriminator_steps": 3}
    taken = counted(tiny({"objective": objective, "terms": terms}), tmp_path / "run")
    # The two lazy terms share (trains, every), and so an update; the third joins the critic's own.
    assert taken == {"discriminator": 30, "discriminator/r1": 3, "generator": 10}
    assert {name for values in logged(tmp_path / "run") for name in values} >= {
        "discriminator/always",
        "discriminator/r1/r1",
        "discriminator/r1/r2",
    }


def test_stochastic_layers_are_seeded_anew_for_each_update(tmp_path: Path) -> None:
    seeds: dict[int, list[int]] = {}
    for seed in (1, 2):
        taken = seeds[seed] = []
        watch = Watch(lambda run, update, terms, taken=taken: taken.append(torch.default_generator.initial_seed()))
        objective = {"use": "parts/uneven", "every": 2, "repeat": 2}
        train(tiny({"objective": objective}, seed=seed), out=tmp_path / str(seed), plugins=[PARTS], listeners=[watch])
    assert len({*seeds[1], *seeds[2]}) == len(seeds[1]) + len(seeds[2]) == 40


def test_each_repetition_draws_anew(tmp_path: Path) -> None:
    seen: list[float] = []
    frozen = {"use": "sgd", "lr": 1e-12}

    def keep(run: Any, update: Any, terms: Mapping[str, Tensor]) -> None:
        if update.name == "critic":
            seen.append(float(terms["gap"].detach()))

    recipe = tiny(
        {"objective": {"use": "parts/uneven", "every": 1}, "optimizers": {"generator": frozen, "discriminator": frozen}}
    )
    train(recipe, out=tmp_path / "run", plugins=[PARTS], listeners=[Watch(keep)])
    assert len(set(seen)) == len(seen) == 20


@pytest.mark.parametrize("continues", [True, False])
def test_continues_uses_the_batch_and_noise_of_the_update_before(continues: bool, tmp_path: Path) -> None:
    from sparring.training import loop

    batches: dict[str, Tensor] = {}
    latents: dict[str, Tensor] = {}
    original = loop.StagedTrainer.update

    def update(self: Any, run: Any, stage: Any, update: Any, repeat: int, before: Any) -> Any:
        contexts = original(self, run, stage, update, repeat, before)
        batches[update.name] = contexts[0].batch.sample.detach().clone()
        latents[update.name] = contexts[0].latent().clone()
        return contexts

    patch = pytest.MonkeyPatch()
    patch.setattr(loop.StagedTrainer, "update", update)
    try:
        objective = {"use": "parts/uneven", "every": 1, "repeat": 1, "continues": continues}
        train(tiny({"objective": objective, "steps": 1}), out=tmp_path / "run", plugins=[PARTS])
    finally:
        patch.undo()
    assert batches["critic"].equal(batches["maker"]) is continues
    assert latents["critic"].equal(latents["maker"]) is continues


def test_an_update_that_continues_one_that_is_not_always_taken_is_refused(tmp_path: Path) -> None:
    objective = {"use": "parts/uneven", "every": 2, "continues": True}
    with pytest.raises(RecipeError, match=r"maker.*continues") as caught:
        train(tiny({"objective": objective}), out=tmp_path / "run", plugins=[PARTS])
    assert "stages.0.objective" in str(caught.value)


def test_reuse_fake_spares_a_forward_pass(tmp_path: Path) -> None:
    calls: list[int] = []
    from sparring.networks.mlp import MLPGenerator

    original = MLPGenerator.forward

    def forward(self: Any, latent: Any, condition: Any) -> Any:
        if self.training:
            calls.append(1)
        return original(self, latent, condition)

    patch = pytest.MonkeyPatch()
    patch.setattr(MLPGenerator, "forward", forward)
    counts = []
    for reuse in (False, True):
        calls.clear()
        objective = {"use": "adversarial", "loss": "hinge", "reuse_fake": reuse}
        train(tiny({"objective": objective}), out=tmp_path / str(reuse))
        counts.append(len(calls))
    patch.undo()
    assert counts == [20, 10]


# ---- losses and gradients ----


class Gradients:
    """Keep each update's gradients, flags and weights before the next."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.flags: list[list[bool]] = []
        self.taken: list[tuple[str, dict[str, Tensor | None]]] = []

    @hookimpl
    def sparring_update_end(self, run: Any, update: Any) -> None:
        named = run.networks[self.role].named_parameters()
        grads = {name: None if one.grad is None else one.grad.clone() for name, one in named}
        self.taken.append((update.name, grads))
        self.flags.append([one.requires_grad for net in run.networks.values() for one in net.parameters()])

    def of(self, update: str) -> list[dict[str, Tensor | None]]:
        return [grads for name, grads in self.taken if name == update]


def test_the_lazy_scale_is_every(tmp_path: Path) -> None:
    """With plain SGD the critic's lazy gradient is ``every`` times that of the term itself."""
    seen: list[tuple[Tensor, Tensor]] = []

    def keep(run: Any, update: Any, terms: Mapping[str, Tensor]) -> None:
        if update.name == "discriminator/still":
            grad = run.networks["discriminator"].last.weight.grad
            seen.append((grad.clone(), terms["still"].detach()))

    # d(still)/d(last.weight) is known from the term's value: D(x) = w·h + b, and the value is its mean times 1e-3.
    term = {"use": "parts/spoiled", "at": 1000, "name": "still", "every": 5, "weight": 3.0}
    still = {"use": "sgd", "lr": 1e-12}
    recipe = tiny({"terms": [term], "optimizers": {"generator": still, "discriminator": still}, "steps": 6})
    train(recipe, out=tmp_path / "run", plugins=[PARTS], listeners=[Watch(keep)])
    assert len(seen) == 2
    weight = None
    for grad, value in seen:
        network = tensors(tmp_path / "run", "discriminator")
        weight = network["last.weight"]
        direct = (grad * weight).sum() / 5 + 3e-3 * network["last.bias"][0]
        assert float(direct) == pytest.approx(float(value), rel=1e-4)
    assert weight is not None


def test_idle_networks_get_no_gradients_and_flags_are_restored(tmp_path: Path) -> None:
    for role, idle_in in (("generator", "discriminator"), ("discriminator", "generator")):
        seen = Gradients(role)
        train(tiny({"optimizers": PLAIN}), out=tmp_path / role, listeners=[seen])
        assert all(all(flags) for flags in seen.flags)
        first = seen.of(idle_in)[0]
        if role == "generator":  # the critic goes first
            assert all(grad is None for grad in first.values())
        for (name, before), (after_name, after) in zip(seen.taken, seen.taken[1:], strict=False):
            if after_name == idle_in and name == role:
                # Its own update's gradients stay; nothing is added to them.
                assert all(_same(before[key], after[key]) for key in after)


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    return one is other is None or (one is not None and other is not None and one.equal(other))


class Partly(nn.Module):
    """A critic whose first layer its owner has frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 8).requires_grad_(False)
        self.rest = nn.Sequential(nn.LeakyReLU(0.2), nn.Linear(8, 1))

    def forward(self, sample: Tensor) -> Tensor:
        made: Tensor = self.rest(self.first(sample)).squeeze(1)
        return made


@pytest.mark.parametrize("reuse", [False, True])
def test_frozen_parameters_stay_frozen(reuse: bool, tmp_path: Path) -> None:
    critic = Partly()
    before = critic.first.weight.clone()
    flags: list[bool] = []
    watch = Watch(lambda run, update, terms: flags.append(critic.first.weight.requires_grad))
    stage = {"objective": {"use": "adversarial", "loss": "hinge", "reuse_fake": reuse}, "terms": [{"use": "r1"}]}
    train(tiny(stage), out=tmp_path / "run", networks={"discriminator": critic}, listeners=[watch])
    assert flags
    assert not any(flags)
    assert critic.first.weight.grad is None
    assert critic.first.weight.equal(before)
    assert all(parameter.requires_grad for parameter in critic.rest.parameters())


def test_flags_are_restored_where_an_update_fails(tmp_path: Path) -> None:
    class Broken(Partly):
        def forward(self, sample: Tensor) -> Tensor:
            raise TrainingError("broken")

    generator = nn.Linear(4, 2)
    generator.latent_shape = (4,)  # type: ignore[assignment]
    given = {"generator": generator, "discriminator": Broken()}
    with pytest.raises(TrainingError, match="broken"):
        train(tiny(), out=tmp_path / "run", networks=given)
    assert all(parameter.requires_grad for parameter in generator.parameters())


def test_accumulation_changes_nothing_without_batch_statistics(tmp_path: Path) -> None:
    stage = {"optimizers": PLAIN, "terms": [{"use": "r1", "gamma": 0.1}, {"use": "gradient-penalty", "every": 2}]}
    found = []
    for accumulate in (1, 4):
        folder = tmp_path / str(accumulate)
        train(tiny({**stage, "accumulate": accumulate}), out=folder)
        found.append({**tensors(folder, "generator"), **tensors(folder, "discriminator")})
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-6, atol=1e-6)


def test_gradients_are_clipped_to_a_norm(tmp_path: Path) -> None:
    norms: dict[bool, list[float]] = {}
    for clipped in (True, False):
        seen = Gradients("discriminator")
        optimizers = {"generator": SGD, "discriminator": {**SGD, "clip": 0.01} if clipped else SGD}
        train(tiny({"optimizers": optimizers}), out=tmp_path / str(clipped), listeners=[seen])
        grads = [list(grads.values()) for grads in seen.of("discriminator")]
        norms[clipped] = [float(torch.stack([grad.norm() for grad in one if grad is not None]).norm()) for one in grads]
    assert min(norms[False]) > 0.01, "something is clipped"
    assert norms[True] == pytest.approx([0.01] * 10, rel=1e-3)


def test_constraints_come_after_the_step(tmp_path: Path) -> None:
    largest: list[float] = []

    def keep(run: Any, update: Any, terms: Any) -> None:
        largest.append(max(float(one.detach().abs().max()) for one in run.networks["discriminator"].parameters()))

    stage = {"constraints": {"discriminator": ["weight-clip"]}, "optimizers": PLAIN}
    train(tiny(stage), out=tmp_path / "run", listeners=[Watch(keep)])
    limit = WeightClip().limit
    assert largest == pytest.approx([limit] * 20)


# ---- averages ----


class Weights:
    """Keep the generator's weights after each step, and its average at the end."""

    def __init__(self) -> None:
        self.first: Tensor | None = None
        self.live: list[Tensor] = []
        self.average: Tensor | None = None

    @hookimpl
    def sparring_stage_start(self, run: Any) -> None:
        self.first = run.networks["generator"].last.weight.detach().clone()

    @hookimpl
    def sparring_update_end(self, run: Any, update: Any) -> None:
        if update.name == "generator":
            self.live.append(run.networks["generator"].last.weight.detach().clone())

    @hookimpl
    def sparring_run_end(self, run: Any) -> None:
        self.average = run.averages["generator"].network.last.weight.clone()


@pytest.mark.parametrize("kind", ["decay", "half-life", "ramp"])
def test_the_average_in_closed_form(kind: str, tmp_path: Path) -> None:
    seen = Weights()
    average: Any = {
        "decay": 0.7,
        "half-life": {"half_life": 20, "ramp": None},
        "ramp": {"half_life": 20, "ramp": 0.3},
    }[kind]
    train(tiny({"ema": {"generator": average}}), out=tmp_path / "run", listeners=[seen])
    batch, expected = 8, seen.first
    assert expected is not None
    for step, live in enumerate(seen.live):
        half_life = min(20.0, 0.3 * (step + 1) * batch) if kind == "ramp" else 20.0
        decay = 0.7 if kind == "decay" else 0.5 ** (batch / half_life)
        expected = decay * expected + (1 - decay) * live
    torch.testing.assert_close(seen.average, expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(tensors(tmp_path / "run", "generator")["last.weight"], seen.average)


def test_an_average_takes_over_batch_statistics(tmp_path: Path) -> None:
    networks = {"generator": {"use": "parts/dropout"}, "discriminator": {"use": "parts/dropout"}}
    train(tiny({"ema": {"generator": 0.9}}, networks=networks), out=tmp_path / "run", plugins=[PARTS])
    saved = tmp_path / "run" / "checkpoints" / "00000010"
    live, average = (load_file(saved / f"generator{kind}.safetensors") for kind in ("", ".average"))
    assert average["net.1.running_mean"].equal(live["net.1.running_mean"])
    assert average["net.1.num_batches_tracked"].equal(live["net.1.num_batches_tracked"])
    assert not average["net.0.weight"].equal(live["net.0.weight"])


# ---- schedules ----


def test_schedules_reach_what_they_name(tmp_path: Path) -> None:
    found: list[tuple[float, float, float, float, float]] = []

    def keep(run: Any, update: Any, terms: Any) -> None:
        if update.name == "maker":
            groups = {role: optimizer.param_groups[0] for role, optimizer in run.stage.optimizers.items()}
            entry = run.stage.objective.weighted[0]
            rates = groups["generator"]["lr"], groups["discriminator"]["lr"]
            found.append((*rates, entry.weight, entry.term.gamma, run.stage.objective.temperature))

    stage = {
        "objective": {"use": "parts/uneven", "every": 1, "repeat": 1},
        "terms": [{"use": "r1", "every": 4}],
        "schedules": {
            "optimizers.generator.lr": {"use": "linear", "start": 0.1, "end": 0.0},
            "optimizers.discriminator.lr": {"use": "cosine", "start": 0.1, "end": 0.01, "warmup": 3},
            "terms.r1.weight": {"use": "exponential", "start": 1.0, "end": 0.1},
            "terms.r1.gamma": {"use": "linear", "start": 0.0, "end": 1.0, "until": 5},
            "objective.temperature": {"use": "linear", "start": 2.0, "end": 1.0},
        },
    }
    train(tiny(stage), out=tmp_path / "run", plugins=[PARTS], listeners=[Watch(keep)])
    assert len(found) == 10
    for step, values in enumerate(found):
        assert values == pytest.approx(
            (
                Linear(0.1, 0.0).value(step, 10),
                # The critic's optimiser takes lazy updates too, and is corrected for them.
                Cosine(0.1, 0.01, 3).value(step, 10) * 4 / 5,
                Exponential(1.0, 0.1).value(step, 10),
                Linear(0.0, 1.0, 5).value(step, 10),
                Linear(2.0, 1.0).value(step, 10),
            )
        )


BAD_PATHS = {
    "optimizers.critic.lr": "names no number",
    "optimizers.generator.betas": "no number 'betas'",
    "terms.r2.weight": "names no number",
    "terms.r1.strength": "names no number",
    "objective.loss": "names no number",
    "networks.generator.width": "schedules reach",
}
assert BAD_PATHS


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_bad_schedule_path_says_what_there_is(path: str, tmp_path: Path) -> None:
    stage = {"terms": [{"use": "r1"}], "schedules": {path: {"use": "constant", "value": 1.0}}}
    with pytest.raises(RecipeError, match=BAD_PATHS[path]) as caught:
        train(tiny(stage), out=tmp_path / "run")
    message = str(caught.value)
    assert f"stages.0.schedules.{path}" in message
    assert "lr" in message
    assert "foreach" not in message, "only numbers are offered"


# ---- what is read, and when ----


def test_values_stay_on_the_device_between_logging_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    original = Ledger.read

    def read(self: Any, stage: str) -> None:
        if self._pending:
            reads.append(len(self._pending))
        original(self, stage)

    monkeypatch.setattr(Ledger, "read", read)
    train(tiny({"steps": 20}, log={"every": 8}, checkpoint={"every": 10}), out=tmp_path / "run")
    # Each step gives the critic's term and two logits, and the generator's term.
    assert reads == [8 * 4, 2 * 4, 6 * 4, 4 * 4]


def test_logged_values_are_means_over_the_interval(tmp_path: Path) -> None:
    each, means = tmp_path / "each", tmp_path / "means"
    train(tiny(log={"every": 1}), out=each)
    train(tiny(log={"every": 4}), out=means)
    name = "discriminator/adversarial"
    values = [value[name] for value in logged(each)]
    expected = [sum(part) / len(part) for part in (values[:4], values[4:8], values[8:])]
    assert [value[name] for value in logged(means)] == pytest.approx(expected)
    assert [line["step"] for line in lines(means)[:3]] == [4, 8, 10]


def test_there_is_an_evaluation_a_drawing_and_a_checkpoint_before_the_first_step(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(tiny(evaluate=EVALUATE, samples=SAMPLES), out=folder)
    found = [line["step"] for line in lines(folder) if line["event"] == "evaluate"]
    assert found == [0, 5, 10]
    assert sorted(path.name for path in (folder / "samples").iterdir()) == [
        "00000000",
        "00000005",
        "00000010",
        "real.png",
    ]
    train(tiny(checkpoint={"every": 100, "keep": 9}), out=tmp_path / "bare")
    assert steps_saved(tmp_path / "bare") == [0, 10]


def test_verdicts_are_lines_of_the_journal(tmp_path: Path) -> None:
    train(tiny(evaluate=EVALUATE, samples=SAMPLES), out=tmp_path / "run")
    verdicts = [line for line in lines(tmp_path / "run") if line["event"] == "verdict"]
    assert {line["source"] for line in verdicts} == {"convergence", "collapse"}
    for line in verdicts:
        assert line.keys() == {"event", "step", "source", "level", "finding", "remedy", "since"}
        assert line["level"] in ("good", "warning", "bad")
        assert line["finding"]


def test_a_callback_may_end_a_run(tmp_path: Path) -> None:
    recipe = tiny(callbacks=[{"use": "parts/stop", "at": 5}])
    result = train(recipe, out=tmp_path / "run", plugins=[PARTS])
    assert (result.status, result.reason, result.step) == ("finished", "enough", 6)
    assert tensors(tmp_path / "run", "generator")


def test_the_same_recipe_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        torch.manual_seed(hash(name))  # what the caller did to torch's own generator is of no account
        train(tiny(seed=seed), out=tmp_path / name)
    one, same, other = (tensors(tmp_path / name, "generator")["last.weight"] for name in ("one", "same", "other"))
    assert one.equal(same)
    assert not one.equal(other)


def test_data_are_never_asked_for_no_rows(tmp_path: Path) -> None:
    """An evaluation of more samples than the split has does not gather what is not there."""
    recipe = tiny(
        data={"use": "parts/read-ahead"}, evaluate={"every": 10, "count": 600, "metrics": [{"use": "parts/rows"}]}
    )
    result = train(recipe, out=tmp_path / "run", plugins=[PARTS])
    assert result.metrics["rows_seen"] == 192 + 600
