"""The training loop. Everything else in this package serves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from sparring.interfaces.context import Context
from sparring.interfaces.objective import Update
from sparring.interfaces.trainer import Result, Trainer
from sparring.training.feed import Place
from sparring.training.randomness import generator_at, seed_layers
from sparring.training.run import Run
from sparring.training.stage import Stage


class StagedTrainer(Trainer):
    """Train stage after stage: each step takes the objective's updates in turn."""

    def fit(self, run: Run) -> Result:
        """Train from the run's place to its end, or until it is asked to stop."""
        with run.session():
            while run.stage_index < len(run.recipe.stages) and not run.stopping:
                stage = run.enter_stage()
                while run.stage_step < stage.steps and not run.stopping:
                    self.step(run, stage)
                    run.stage_step += 1
                    run.after_step(stage)
                if run.stage_step == stage.steps:
                    run.leave_stage(stage)
        return run.result()

    def step(self, run: Run, stage: Stage) -> None:
        """Take one training step: each update that is due, then the moving averages."""
        for bound in stage.schedules:
            bound.assign(bound.schedule.value(run.stage_step, stage.steps))
        for thawing in stage.thaw(run.stage_step):
            run.say(f"{thawing.role}: {len(thawing.parameters)} frozen parameters learn from step {thawing.at} on")
        contexts: list[Context] = []
        for update in stage.updates:
            if run.stage_step % update.every:
                continue
            for repeat in range(update.repeat):
                # What no update goes on with is let go of first: its graphs and features are memory.
                contexts = contexts if update.continues else []
                contexts = self.update(run, stage, update, repeat, contexts)
        for role, average in run.averages.items():
            average.follow(run.networks[role], stage.batch, (run.stage_step + 1) * stage.batch)

    def update(self, run: Run, stage: Stage, update: Update, repeat: int, before: Sequence[Context]) -> list[Context]:
        """Take one optimiser step; return its contexts, which the next update may continue."""
        device, place = run.device, Place(run.stage_step, update.name, repeat)
        idle, parameters = stage.idle_in(update.name), stage.trained[update.name]
        contexts = [context.continued() for context in before] if update.continues else contexts_at(run, stage, place)
        for role in update.trains:
            stage.optimizers[role].zero_grad(set_to_none=True)
        bf16 = run.recipe.precision == "bf16" and not update.full_precision
        with idle_without_gradients(idle):
            for part, context in enumerate(contexts):
                seed_layers(device, run.recipe.seed, stage.index, *place, part, run.parallel.rank, "layers")
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    terms = stage.objective.losses(update, context)
                if not terms:
                    continue
                # A lazy update stands for the steps it skipped; accumulated parts make one mean.
                loss = torch.stack([term.float() for term in terms.values()]).sum() * (update.every / stage.accumulate)
                loss.backward()  # type: ignore[no-untyped-call]
                run.ledger.record(run.stage_step, update.name, {**terms, **context.recorded})
        if not terms:
            return contexts
        run.parallel.average_gradients(parameters)
        for role in update.trains:
            if role in stage.clips:
                nn.utils.clip_grad_norm_(run.networks[role].parameters(), stage.clips[role])
            stage.optimizers[role].step()
            for constraint in stage.constraints.get(role, ()):
                constraint(run.networks[role])
        stage.objective.after_update(update, contexts)
        # Detached, so that a callback which keeps or reads a value holds no graph.
        values = {name: term.detach() for name, term in terms.items()}
        run.hooks.sparring_update_end(run=run, update=update, terms=values)
        return contexts


def contexts_at(run: Run, stage: Stage, place: Place) -> list[Context]:
    """Return the contexts of an update, one for each accumulated part.

    Every part, on every process, has a generator of the same seed: noise is drawn for the global batch, and each
    part takes its rows.
    """
    update = next(update for update in stage.updates if update.name == place.update)
    idle = frozenset(id(parameter) for parameter in stage.idle_in(update.name))
    return [
        Context(
            run.networks,
            batch,
            step=place.step,
            rng=generator_at(run.device, run.recipe.seed, stage.index, *place, "noise"),
            rows=rows,
            average=run.parallel.average,
            idle=idle,
        )
        for batch, rows in zip(stage.feed.batches(place), stage.feed.parts, strict=True)
    ]


@contextmanager
def idle_without_gradients(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Spare the backward pass the gradients that an update would throw away; restore each flag after."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
