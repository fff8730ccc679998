"""The core's own components. Targets are imported when they are first used, so that listing needs no torch."""

from __future__ import annotations

from sparring.plugins.component import Plugin

plugin = Plugin("core")

_COMPONENTS = {
    "callback": [
        ("collapse", "callbacks.collapse:Collapse", "Warn of mode collapse and of a critic that no longer teaches"),
        ("tensorboard", "callbacks.tensorboard:TensorBoard", "Write curves for TensorBoard (the extra `tensorboard`)"),
        ("convergence", "callbacks.convergence:Convergence", "Judge whether a run still improves; stop it if asked"),
        ("traversal", "callbacks.traversal:Traversal", "A picture of what each code changes (InfoGAN)"),
    ],
    "constraint": [("weight-clip", "training.constraints:WeightClip", "Clip each weight (WGAN)")],
    "data": [
        ("points", "data.points:Points", "Clusters of points on a ring, a grid or a spiral"),
        ("subset", "data.subset:Subset", "Some classes of labelled data, or a few samples of each"),
    ],
    "discriminator": [
        ("heads", "networks.heads:HeadedDiscriminator", "Any discriminator, with heads for class and codes"),
        ("mlp", "networks.mlp:MLPDiscriminator", "A multilayer perceptron for samples of a fixed shape"),
    ],
    "generator": [
        ("coded", "networks.coded:CodedGenerator", "Any generator, with codes in its latent (InfoGAN)"),
        ("mlp", "networks.mlp:MLPGenerator", "A multilayer perceptron for samples of a fixed shape"),
        ("steered", "networks.steered:SteeredGenerator", "Any generator, with a policy that chooses its latents"),
    ],
    "initializer": [
        ("kaiming", "training.initialize:Kaiming", "Normal weights scaled for leaky ReLUs (He)"),
        ("normal", "training.initialize:Normal", "Normal weights of one deviation (DCGAN)"),
        ("orthogonal", "training.initialize:Orthogonal", "Orthogonal weights (BigGAN)"),
        ("xavier", "training.initialize:Xavier", "Normal weights scaled by fan-in and fan-out (Glorot)"),
    ],
    "loss": [
        ("hinge", "losses.hinge:Hinge", "Hinge (SAGAN, BigGAN)"),
        ("least-squares", "losses.least_squares:LeastSquares", "Least squares (LSGAN)"),
        ("minimax", "losses.cross_entropy:Minimax", "Cross-entropy as first written; the generator's side saturates"),
        ("non-saturating", "losses.cross_entropy:NonSaturating", "Cross-entropy with a generator that never saturates"),
        ("relativistic", "losses.relativistic:Relativistic", "Real and generated compared in pairs (RSGAN, R3GAN)"),
        ("wasserstein", "losses.wasserstein:Wasserstein", "Wasserstein distance (WGAN); needs a penalty or clipping"),
    ],
    "metric": [
        ("coverage", "metrics.coverage:Coverage", "Precision, recall, density and coverage by nearest neighbours"),
        ("frechet", "metrics.frechet:Frechet", "Fréchet distance of an encoder's features"),
        ("kernel-distance", "metrics.kernel_distance:KernelDistance", "Kernel distance of an encoder's features (KID)"),
        ("modes", "metrics.modes:Modes", "How many clusters the samples reach"),
        ("reward", "metrics.reward:MeanReward", "The mean of any reward, beside that of real samples"),
    ],
    "objective": [
        ("adversarial", "objectives.adversarial:Adversarial", "A generator against a discriminator"),
        ("cycle", "objectives.cycle:Cycle", "Unpaired translation, there and back (CycleGAN)"),
        ("grpo", "objectives.grpo:GRPO", "Policy gradient on rewards compared within a group"),
        (
            "latent-policy",
            "objectives.latent_policy:LatentPolicy",
            "Policy gradient on latents, by any reward; the generator stays",
        ),
        ("likelihood", "objectives.likelihood:Likelihood", "Imitation by maximum likelihood"),
        (
            "metric-critic",
            "objectives.metric_critic:MetricCritic",
            "A critic that learns a black-box score (MetricGAN)",
        ),
        ("ppo", "objectives.ppo:PPO", "Policy gradient on advantages, with a network of values"),
        ("reinforce", "objectives.reinforce:Reinforce", "Policy gradient on a reward or a critic"),
        ("regression", "objectives.regression:Regression", "Imitation by the distance from real samples (L1, L2)"),
        (
            "reward-gradient",
            "objectives.reward_gradient:RewardGradient",
            "A generator climbs a differentiable reward, held near to its source",
        ),
    ],
    "optimizer": [
        ("adam", "training.optim:adam", "Adam"),
        ("adamw", "training.optim:adamw", "Adam with decoupled weight decay"),
        ("rmsprop", "training.optim:rmsprop", "RMSprop (the clipped WGAN)"),
        ("sgd", "training.optim:sgd", "Stochastic gradient descent"),
    ],
    "reward": [
        ("classifier", "rewards.classifier:ClassifierReward", "The probability of a wanted class"),
        ("critic", "rewards.critic:CriticReward", "What a discriminator takes for real, while it learns (SeqGAN)"),
        ("length", "rewards.length:Length", "Sequences of a wanted length"),
        ("sum", "rewards.sum:WeightedSum", "Several rewards, weighed and perhaps normalised"),
    ],
    "schedule": [
        ("constant", "training.schedules:Constant", "One value"),
        ("cosine", "training.schedules:Cosine", "Half a cosine, with warm-up"),
        ("exponential", "training.schedules:Exponential", "A constant ratio from step to step"),
        ("linear", "training.schedules:Linear", "A line"),
    ],
    "space": [
        ("array", "spaces.array:ArraySpace", "Arrays of numbers of one shape"),
        ("label", "spaces.label:LabelSpace", "One of several classes"),
        ("point", "spaces.point:PointSpace", "Points of the plane, or of any dimension"),
    ],
    "term": [
        ("anchor", "terms.anchor:Anchor", "Weights or outputs held near what they were (L2-SP)"),
        ("auxiliary-classifier", "terms.heads:AuxiliaryClassifier", "Cross-entropy of the class named (AC-GAN)"),
        ("consistency", "terms.consistency:Consistency", "One opinion of a sample and of its augmentation (CR, bCR)"),
        ("cycle-consistency", "terms.cycle:CycleConsistency", "There and back again is where one started (CycleGAN)"),
        ("dragan", "terms.gradient_penalties:Dragan", "Gradient norm around real samples (DRAGAN)"),
        ("entropy", "terms.policy:Entropy", "Sampled sequences stay various (policy gradients)"),
        ("feature-matching", "terms.feature_matching:FeatureMatching", "Distance of the critic's features"),
        (
            "gradient-penalty",
            "terms.gradient_penalties:GradientPenalty",
            "Gradient norm between real and fake (WGAN-GP)",
        ),
        ("identity", "terms.cycle:Identity", "What is of the wanted domain already stays (CycleGAN)"),
        ("imitation", "terms.imitation:Imitation", "Likelihood beside a critic or a reward, so that language is kept"),
        ("kl", "terms.policy:KL", "How far a generator has gone from where the stage began (policy gradients)"),
        ("latent-kl", "terms.latent:LatentKL", "How far a policy over latents has gone from where it began"),
        ("lecam", "terms.lecam:LeCam", "Logits held near averages of the other side's (LeCam)"),
        ("mutual-information", "terms.heads:MutualInformation", "Codes that can be read off the samples (InfoGAN)"),
        ("r1", "terms.gradient_penalties:R1", "Squared gradient at real samples"),
        ("r2", "terms.gradient_penalties:R2", "Squared gradient at generated samples"),
        ("reconstruction", "terms.reconstruction:Reconstruction", "Distance from the wanted sample (L1, L2)"),
    ],
    "trainer": [("staged", "training.loop:StagedTrainer", "One stage after another; the default")],
}

for kind, entries in _COMPONENTS.items():
    for name, target, summary in entries:
        plugin.add(kind, name, f"sparring.{target}", summary)
