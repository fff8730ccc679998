"""A run: a recipe being trained, its place, and the folder that it writes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import nn

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.metric import Metric
from sparring.interfaces.trainer import Result
from sparring.plugins.events import hooks_of
from sparring.recipes.schema import Best, Recipe
from sparring.training import checkpoint, evaluation, previews, record
from sparring.training.build import MEMORY_FORMATS, AnyData, Builder
from sparring.training.checkpoint import Manifest
from sparring.training.ema import MovingAverage
from sparring.training.generate import conditions_for, first_rows, generate, generator_role, only_labels
from sparring.training.interrupt import Interrupt
from sparring.training.journal import Journal
from sparring.training.ledger import Ledger
from sparring.training.parallel import Parallel, with_shared_batch_norm
from sparring.training.stage import Stage

Level = Literal["good", "warning", "bad"]


class Run:
    """A recipe being trained. Callbacks read its attributes; the loop moves its place.

    Args:
        recipe: A resolved recipe.
        folder: Where it writes.
        builder: Builds the recipe's parts.
        data: The training data.
        parallel: This process among those that train together.
        networks: Networks that were handed over as objects, by role.
        listeners: Objects with event hooks that only watch, such as a progress display.
        resumed: Whether a checkpoint will bring the weights, so that none have to be set first.

    Attributes:
        stage_index: The stage that is being trained, or the number of stages once all are done.
        stage_step: Steps done in it.
        metrics: The last evaluation.
        metric_better: Which way each metric's main value improves.
        stop_reason: Why the run was asked to stop, or an empty string.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        builder: Builder,
        data: AnyData,
        parallel: Parallel,
        *,
        networks: Mapping[str, nn.Module],
        listeners: Sequence[object] = (),
        resumed: bool = False,
    ) -> None:
        self.recipe, self.folder, self.builder, self.data, self.parallel = recipe, folder, builder, data, parallel
        self.device, self.space, self.conditions = parallel.device, data.space, data.conditions
        self.networks = self._place(
            {
                role: builder.network(role, spec, networks.get(role), weights=not resumed)
                for role, spec in recipe.networks.items()
            }
        )
        parallel.broadcast(self.networks.values())
        self.averages: dict[str, MovingAverage] = {}
        self.stage: Stage | None = None
        self.stage_index = self.stage_step = 0
        self.metrics: dict[str, float] = {}
        self.metric_better: dict[str, str] = {}
        self.stop_reason, self.stopping, self.interrupt = "", False, Interrupt()
        self.journal = Journal(folder, enabled=parallel.main)
        self.ledger = Ledger(parallel.average)
        self.listeners = listeners if parallel.main else ()
        self.callbacks = builder.callbacks() if parallel.main else []
        self._metrics: list[Metric] | None = None
        self._pending: dict[str, Any] | None = None
        self._journal_end: int | None = None
        listening = [(f"listener {index}", listener) for index, listener in enumerate(self.listeners)]
        self.hooks = hooks_of([*self.callbacks, *listening])
        self._clock, self._clock_step = time.perf_counter(), 0

    # ---- where it is ----

    @property
    def step(self) -> int:
        """Steps done over all stages."""
        return sum(stage.steps for stage in self.recipe.stages[: self.stage_index]) + self.stage_step

    @property
    def total_steps(self) -> int:
        """Steps of the whole recipe."""
        return self.recipe.total_steps

    @property
    def generator_role(self) -> str:
        """The network that samples are drawn from."""
        return generator_role(self.networks)

    # ---- what callbacks may do ----

    def request_stop(self, reason: str) -> None:
        """Ask the run to end after this step, as if its recipe ended here."""
        self.stop_reason = self.stop_reason or reason

    def note(
        self, source: str, finding: str, *, remedy: str = "", since: int | None = None, level: Level = "warning"
    ) -> None:
        """Write a verdict into the journal and show it to the user."""
        about = {"source": source, "level": level, "finding": finding, "remedy": remedy, "since": since}
        self.journal.write("verdict", step=self.step, **about)
        for listener in self.listeners:
            show = getattr(listener, "show_note", None)
            if show is not None:
                show(level, source, finding, remedy)

    def say(self, sentence: str) -> None:
        """Show the user a sentence that is no verdict: what was skipped, what was loaded."""
        for listener in self.listeners:
            show = getattr(listener, "show_note", None)
            if show is not None:
                show("note", "run", sentence, "")

    def real_samples(self, count: int) -> Batch:
        """Return a fixed choice of real samples, on the CPU; of a stream without a held-out part, none."""
        if isinstance(self.data, Data):
            return first_rows(self.data, count, seed=self.recipe.seed)
        try:
            held_out = self.data.split(self.recipe.evaluate.split if self.recipe.evaluate else "test")
        except DataError:
            return Batch(torch.empty(0, *self.space.shape))
        return first_rows(held_out, count)

    def examples(self) -> Data | None:
        """Return the data whose conditions previews show: held out where the recipe evaluates, else what is trained on.

        None stands for a stream without a held-out part.
        """
        if only_labels(self.conditions):
            return None
        if self.recipe.evaluate is not None:
            return self.data.split(self.recipe.evaluate.split)
        return self.data if isinstance(self.data, Data) else None

    def generated_samples(self, count: int, *, seed: int | None = None) -> Batch:
        """Return generated samples, on the CPU, by the averaged weights where there are any.

        The same ``count`` and ``seed`` (by default the recipe's) mean the same latents and conditions at every step.
        Conditions that are more than class labels are those of ``examples``.
        """
        chosen = self.recipe.seed if seed is None else seed
        condition = conditions_for(count, self.conditions, self.examples(), seed=chosen)
        return generate(self.best_network(self.generator_role), count, condition, seed=chosen, device=self.device)

    def best_network(self, role: str) -> nn.Module:
        """Return a network's averaged copy, or the network itself where none is kept."""
        return self.averages[role].network if role in self.averages else self.networks[role]

    # ---- what the loop calls ----

    @contextmanager
    def session(self) -> Iterator[None]:
        """Hold the folder, listen for Ctrl-C, and tell the callbacks of the start and the end."""
        with record.held(self.folder, self.parallel), self.interrupt.listening():
            error: BaseException | None = None
            try:
                if self.parallel.main and self._journal_end is not None:
                    # Not before the folder is held: another program may be training in it.
                    record.write_recipe(self.folder, self.recipe)
                    self.journal.cut(self._journal_end)
                self.hooks.sparring_run_start(run=self)
                yield
            except OSError as cause:
                error = checkpoint.full_disk(cause, self.folder)
                raise error from cause
            except BaseException as cause:
                error = cause
                raise
            finally:
                if self.stage is not None:
                    self.stage.feed.close()
                # A last verdict that cannot be written must not hide why the run failed.
                with suppress(OSError) if error is not None else nullcontext():
                    self.hooks.sparring_run_end(run=self, error=error)
                    self.journal.write("end", step=self.step, reason=str(error or self.result().reason).split("\n")[0])
            self._finish()

    def enter_stage(self) -> Stage:
        """Build the stage at the run's place; after a resume, return its optimisers and objective to their state."""
        stage = self.builder.stage(self, self.stage_index)
        self.stage = stage
        # A stage that says nothing of an average goes on with what an earlier stage began.
        begun = self.recipe.stages[: stage.index + 1]
        for role, average in {role: one for spec in begun for role, one in spec.ema.items()}.items():
            if role in self.averages:
                self.averages[role].average = average
            else:
                self.averages[role] = MovingAverage(self.networks[role], average)
        if self._pending is not None:
            record.restore(self, stage, self._pending)
            self._pending = None
        self._clock, self._clock_step = time.perf_counter(), self.step
        self.hooks.sparring_stage_start(run=self, stage=stage)
        if self.step == 0:
            self._begin()
        self.parallel.wait()
        return stage

    def after_step(self, stage: Stage) -> None:
        """Do what is due after a step: log, evaluate, draw samples, save; and see whether to stop."""
        recipe, step = self.recipe, self.step
        stage_over, over = self.stage_step == stage.steps, step == self.total_steps
        logged = step % recipe.log.every == 0 or stage_over
        if logged:
            self._log(stage)
        if recipe.evaluate is not None:
            self._evaluate(due=step % recipe.evaluate.every == 0 or over)
        if recipe.samples is not None:
            self._sample(due=step % recipe.samples.every == 0 or over)
        if self.parallel.world == 1 or logged:
            # Callbacks run in one process alone; the others have to learn that the run is to end, and not to go on.
            if self.parallel.any(bool(self.stop_reason)):
                self.request_stop("a callback asked for it")
            self.stopping = self.parallel.any(bool(self.stop_reason) or self.interrupt.asked)
        evaluated = isinstance(recipe.checkpoint.keep, Best) and self._evaluated_at == step
        if step % recipe.checkpoint.every == 0 or stage_over or self.stopping or evaluated:
            self._save()

    def leave_stage(self, stage: Stage) -> None:
        """Move on to the next stage."""
        self.hooks.sparring_stage_end(run=self, stage=stage)
        stage.feed.close()
        self.stage_index, self.stage_step = self.stage_index + 1, 0

    def resume_at(self, manifest: Manifest, path: Path) -> None:
        """Return to a checkpoint."""
        self.stage_index, self.stage_step = manifest.stage, manifest.stage_step
        self.metrics, self._evaluated_at = dict(manifest.metrics), manifest.step if manifest.metrics else -1
        self._pending = record.load(self, path)
        self._journal_end = manifest.journal

    def begin_anew(self) -> None:
        """Start from nothing in a folder that holds a run without a checkpoint."""
        self._journal_end = 0

    def result(self) -> Result:
        """Say how the run ended."""
        interrupted = self.stopping and not self.stop_reason
        reason = "interrupted" if interrupted else self.stop_reason
        return Result(self.folder, self.step, "stopped" if interrupted else "finished", reason, dict(self.metrics))

    # ---- within ----

    _evaluated_at = -1

    def _begin(self) -> None:
        """Before the first step of all, save, evaluate and draw, so that what is wrong with these shows at once."""
        if not checkpoint.listed(self.folder):
            self._save()
        previews.real_preview(self)
        self._evaluate(due=True)
        self._sample(due=True)

    def _place(self, networks: dict[str, nn.Module]) -> dict[str, nn.Module]:
        if self.recipe.sync_batch_norm and self.parallel.world > 1:
            networks = with_shared_batch_norm(networks)
        layout = MEMORY_FORMATS[self.recipe.memory_format]
        return {role: net.to(self.device, memory_format=layout) for role, net in networks.items()}  # type: ignore[call-overload]

    def _log(self, stage: Stage) -> None:
        self.ledger.read(stage.name)
        now = time.perf_counter()
        speed = (self.step - self._clock_step) / max(now - self._clock, 1e-9)
        self._clock, self._clock_step = now, self.step
        values = self.ledger.take_means()
        values |= {f"learning_rate/{role}": optim.param_groups[0]["lr"] for role, optim in stage.optimizers.items()}
        self.journal.write("log", step=self.step, stage=stage.name, values=values, steps_per_second=round(speed, 3))
        self.hooks.sparring_step_end(run=self, step=self.step, metrics={**values, "steps_per_second": speed})

    def _evaluate(self, *, due: bool) -> None:
        if not due or self.recipe.evaluate is None:
            return
        assert self.stage is not None
        self.ledger.read(self.stage.name)  # every process takes part: it averages
        if not self.parallel.main:
            return
        if self._metrics is None:
            self._metrics = self.builder.metrics()
        spec, network = self.recipe.evaluate, self.best_network(self.generator_role)
        data = self.data.split(spec.split)
        found = evaluation.evaluate(network, data, spec, self._metrics, self.recipe.seed, self.device)
        self.metrics, self.metric_better = found.values, found.better
        evaluation.check_best(self.recipe, self.metric_better)
        self._evaluated_at = self.step
        self.journal.write("evaluate", step=self.step, stage=self.stage.name, **asdict(found))
        self.hooks.sparring_evaluate(run=self, step=self.step, metrics=self.metrics)
        # Evaluation is not training time.
        self._clock, self._clock_step = time.perf_counter(), self.step

    def _sample(self, *, due: bool) -> None:
        if not due or self.recipe.samples is None or not self.parallel.main:
            return
        samples = self.generated_samples(self.recipe.samples.count)
        previews.write_preview(self, samples, self.folder / "samples" / f"{self.step:08d}" / "preview")
        self.hooks.sparring_sample(run=self, step=self.step, samples=samples)
        self._clock, self._clock_step = time.perf_counter(), self.step

    def _save(self) -> None:
        assert self.stage is not None
        self.ledger.read(self.stage.name)
        if not self.parallel.main:
            return
        path = record.save(self, metrics=self.metrics if self._evaluated_at == self.step else {})
        self.hooks.sparring_checkpoint(run=self, path=path)

    def _finish(self) -> None:
        """Write the final weights, unless the run was interrupted and is to go on."""
        if self.parallel.main and not (self.stopping and not self.stop_reason):
            try:
                record.write_final(self)
            except (OSError, SafetensorError) as cause:
                raise checkpoint.full_disk(cause, self.folder) from cause
        self.parallel.wait()
