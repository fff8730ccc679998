"""The contracts of objectives and of their terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sparring.interfaces.context import Context
from sparring.interfaces.objective import Objective, Term, Update, WeightedTerm
from sparring.objectives.adversarial import one_hot
from sparring.testing.contract import ComponentContract, global_seed, rng_at, same, through_a_file
from sparring.testing.stand_ins import stand_ins
from sparring.training.loop import idle_without_gradients
from sparring.training.stage import idle_parameters

ROWS = 6
PLAIN = "return tensors, numbers, strings, and lists and dicts of them"


class _Players(ComponentContract):
    """Networks, and updates taken as the training loop takes them."""

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the networks by role; override it for other roles than ``generator`` and ``discriminator``."""
        with global_seed(0):
            return stand_ins(self.materials.space)

    def context(self, networks: Mapping[str, nn.Module], update: Update, *, step: int = 0, seed: int = 0) -> Context:
        """Return what an update of the loop sees."""
        idle = frozenset(id(parameter) for parameter in idle_parameters(networks, update))
        batch = self.materials.batch(ROWS, seed=seed)
        return Context(networks, batch, step=step, rng=rng_at(seed), idle=idle)

    def expect_learning(self, networks: Mapping[str, nn.Module], trains: tuple[str, ...], name: str) -> None:
        """Fail the check unless gradients reach every role that is trained, and no other."""
        for role, network in networks.items():
            gradients = [value.grad for value in network.parameters() if value.grad is not None]
            if role in trains:
                self.expect(
                    any(gradient.any() for gradient in gradients),
                    f"'{name}' says that it trains '{role}', and no gradient reaches it",
                    f"compute it from context.networks['{role}'] without detach(), or name other roles in `trains`",
                )
                self.expect(
                    all(gradient.isfinite().all() for gradient in gradients),
                    f"the gradient of '{name}' is not finite in '{role}'",
                    "look for a division, a root or a logarithm at 0",
                )
            else:
                self.expect(
                    not gradients,
                    f"'{name}' leaves a gradient in '{role}', which it does not train",
                    f"detach what comes from '{role}', and leave requires_grad as it is",
                )
            flags = [value.requires_grad for value in self.networks()[role].parameters()]
            self.expect(
                [value.requires_grad for value in network.parameters()] == flags,
                f"'{name}' leaves parameters of '{role}' frozen",
                "leave requires_grad of parameters alone: the loop sets it for each update",
            )

    def expect_finite_scalar(self, name: str, value: object) -> None:
        """Fail the check unless a loss is a scalar tensor."""
        self.expect(
            isinstance(value, Tensor) and value.dim() == 0 and bool(value.isfinite()),
            f"'{name}' gives {value}",
            "return a scalar tensor: the mean over rows",
        )


class TermContract(_Players):
    """What a term promises."""

    kind = "term"
    interface: ClassVar[type | None] = Term

    def evaluate(self, term: Any, networks: Mapping[str, nn.Module], *, seed: int = 0) -> Tensor:
        """Return a term's value, with its gradients in the networks."""
        update = Update("checked", term.trains)
        context = self.context(networks, update, seed=seed)
        with idle_without_gradients(idle_parameters(networks, update)):
            if self.sequences:
                # As the adversarial objective does it: terms then see relaxed tokens and one-hot reals.
                context.relax("generator", 1.0)
                context.batch = one_hot(context.batch, context.generate("generator").sample)
            term.prepare(context)
            value: Tensor = term(context)
            if value.requires_grad and value.dim() == 0:
                value.backward()  # type: ignore[no-untyped-call]
        return value

    def test_names_the_roles_that_it_trains(self) -> None:
        """``trains`` is a tuple of roles."""
        trains = self.build().trains
        roles = self.networks()
        self.expect(
            isinstance(trains, tuple) and trains and all(role in roles for role in trains),
            f"its `trains` is {trains!r}, and the networks here are {', '.join(roles)}",
            "set `trains` to a tuple of roles; override networks() in the contract where it needs others",
        )

    def test_value_is_a_finite_scalar(self) -> None:
        """It gives one number."""
        self.expect_finite_scalar("the term", self.evaluate(self.build(), self.networks()))

    def test_gradient_reaches_the_roles_that_it_trains(self) -> None:
        """What it trains learns from it, and nothing else is touched."""
        term, networks = self.build(), self.networks()
        self.evaluate(term, networks)
        self.expect_learning(networks, term.trains, self.name)

    def test_noise_comes_from_the_context(self) -> None:
        """The same context gives the same value, so that a resumed run is the same run."""
        values = []
        for seed in (1, 2):
            term, networks = self.build(), self.networks()
            with global_seed(seed):
                values.append(self.evaluate(term, networks).detach())
        self.expect(
            same(values[0], values[1]),
            "the same context gives different values",
            "draw noise by context.normal() and context.uniform(), or from context.rng",
        )

    def test_state_survives_a_checkpoint(self) -> None:
        """Saved and loaded into a new instance, its state is the same, and so is its next value."""
        term, other, networks = self.build(), self.build(), self.networks()
        self.evaluate(term, networks)
        state = self.attempt(lambda: through_a_file(term.state_dict()), "its state cannot be saved", PLAIN)
        other.load_state_dict(state)
        self.expect(same(other.state_dict(), state), "its state is lost in a checkpoint", PLAIN)
        first, second = (self.evaluate(one, self.networks(), seed=1) for one in (term, other))
        self.expect(same(first, second), "after a checkpoint its next value is another", "save all that it depends on")


class ObjectiveContract(_Players):
    """What an objective promises."""

    kind = "objective"
    interface: ClassVar[type | None] = Objective

    def step(self, objective: Any, networks: Mapping[str, nn.Module], *, step: int = 0) -> dict[str, dict[str, Tensor]]:
        """Take one training step as the loop does, without optimisers, and return each update's terms."""
        found: dict[str, dict[str, Tensor]] = {}
        contexts: list[Context] = []
        for number, update in enumerate(objective.updates):
            for repeat in range(update.repeat):
                seed = 100 * step + 10 * number + repeat
                idle = idle_parameters(networks, update)
                contexts = [before.continued() for before in contexts if update.continues] or [
                    self.context(networks, update, step=step, seed=seed)
                ]
                for network in networks.values():
                    network.zero_grad(set_to_none=True)
                with idle_without_gradients(idle):
                    terms = objective.losses(update, contexts[0])
                    self._backward(update, terms)
                self.expect_learning(networks, update.trains, update.name)
                objective.after_update(update, contexts)
                found[f"{update.name}/{repeat}"] = dict(terms)
        return found

    def _backward(self, update: Update, terms: Mapping[str, Tensor]) -> None:
        self.expect(terms, f"the update '{update.name}' has no terms", "return at least one in terms()")
        for name, value in terms.items():
            self.expect_finite_scalar(f"{update.name}/{name}", value)
        loss = torch.stack([value.float() for value in terms.values()]).sum()
        self.expect(
            loss.requires_grad,
            f"the losses of '{update.name}' depend on no weight that it trains",
            "compute them from context.networks without detach() or no_grad()",
        )
        loss.backward()  # type: ignore[no-untyped-call]

    def test_updates_name_the_roles_that_they_train(self) -> None:
        """Updates have names of their own, and train networks that are there."""
        objective, roles = self.build(), self.networks()
        names = [update.name for update in objective.updates]
        self.expect(names, "it has no updates", "set own_updates in the constructor")
        self.expect(
            len(set(names)) == len(names), f"two updates have one name among {names}", "their noise would be the same"
        )
        for update in objective.updates:
            self.expect(
                update.trains and all(role in roles for role in update.trains),
                f"the update '{update.name}' trains {update.trains}, and the networks here are {', '.join(roles)}",
                "name roles that it takes as options; override networks() in the contract where it needs others",
            )
            self.expect(
                update.every >= 1 and update.repeat >= 1,
                f"the update '{update.name}' has every={update.every} and repeat={update.repeat}",
                "both are at least 1",
            )

    def test_each_update_trains_its_roles_alone(self) -> None:
        """In every update the losses are finite scalars, and their gradients reach what it trains and nothing else."""
        self.step(self.build(), self.networks())

    def test_terms_of_the_stage_join(self) -> None:
        """A stage's term is added to the update that trains the same roles, with its weight."""
        objective = self.build()
        entries = [
            WeightedTerm(f"added-{number}", _Decay(update.trains), weight=2.0, every=update.every)
            for number, update in enumerate(objective.own_updates)
        ]
        objective.attach(entries)
        found = self.step(objective, self.networks())
        for entry, update in zip(entries, objective.own_updates, strict=True):
            self.expect(
                entry.name in found[f"{update.name}/0"],
                f"a term of the stage that trains {update.trains} is not among the losses of '{update.name}'",
                "extend losses() by super().losses(update, context)",
            )

    def test_noise_comes_from_the_context(self) -> None:
        """The same step gives the same losses, so that a resumed run is the same run."""
        found = []
        for seed in (1, 2):
            objective, networks = self.build(), self.networks()
            with global_seed(seed):
                found.append(self.step(objective, networks))
        self.expect(
            same(found[0], found[1]),
            "the same step gives different losses",
            "draw noise by context.normal() and context.uniform(), or from context.rng",
        )

    def test_state_survives_a_checkpoint(self) -> None:
        """Saved and loaded into a new instance, it goes on as it would have."""
        objective, other = self.build(), self.build()
        self.step(objective, self.networks())
        state = self.attempt(lambda: through_a_file(objective.state_dict()), "its state cannot be saved", PLAIN)
        other.load_state_dict(state)
        self.expect(same(other.state_dict(), state), "its state is lost in a checkpoint", PLAIN)
        first, second = (self.step(one, self.networks(), step=1) for one in (objective, other))
        self.expect(
            same(first, second), "after a checkpoint its next step is another", "save all that its losses depend on"
        )


class _Decay(Term):
    """The mean square of every weight."""

    def __init__(self, trains: tuple[str, ...]) -> None:
        self.trains = trains

    def __call__(self, context: Context) -> Tensor:
        weights = [weight for role in self.trains for weight in context.networks[role].parameters()]
        return torch.stack([weight.square().mean() for weight in weights]).mean()
