"""How fast vocoders are: HiFi-GAN's versions and the iSTFT vocoder, against a plain HiFi-GAN V1, on one thread.

The plain one is tests/audio/published.py, with weight norm folded as its authors fold it, and the same weights. Runs
are interleaved; what is reported is the median over rounds of the ratio of times, by the processor's own clock, to
which other programs on the machine add little. `--onnx` writes V1 as a graph and times onnxruntime too.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from sparring.interfaces.generator import Generator
from sparring.networks.folding import fold_weight_norm
from sparring_audio.mels import MelSpace
from sparring_audio.networks.hifigan import VERSIONS, HiFiGANGenerator
from sparring_audio.networks.istft import ISTFTVocoder
from sparring_audio.networks.published import load_published
from sparring_audio.waveform import WaveformSpace
from tests.audio.published import PlainHiFiGAN

RATE, HOP = 16000, 256
SPACES = (WaveformSpace(RATE, length=32 * HOP), {"mel": MelSpace(RATE)})
PLAIN = "plain V1"


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks vocoder_speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="of sound that is made at a time")
    parser.add_argument("--onnx", action="store_true", help="also onnxruntime, by the wall's clock")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    frames = max(1, round(arguments.seconds * RATE / HOP))
    mel = torch.randn(1, 80, frames)
    seconds: dict[str, list[float]] = {}
    contenders = loops(mel)
    with torch.inference_mode():
        for round_number in range(arguments.rounds + 1):
            for name, make in contenders.items():
                start = time.process_time()
                make()
                if round_number:  # the first warms up
                    seconds.setdefault(name, []).append(time.process_time() - start)
    show(seconds, frames * HOP / RATE)
    if arguments.onnx:
        by_onnxruntime(mel, arguments.rounds)
    print(f"\n{platform.processor() or platform.machine()}, 1 thread, torch {torch.__version__}")


def loops(mel: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Return what makes the sound of one spectrogram, by each vocoder; both V1 are checked to make the same."""
    size = VERSIONS["v1"]
    plain = PlainHiFiGAN(80, size.width, size.rates, size.kernels, size.dilations, size.paired).eval()
    made: dict[str, Generator] = {
        "ours, V1": HiFiGANGenerator(*SPACES, version="v1"),
        "ours, V2": HiFiGANGenerator(*SPACES, version="v2"),
        "ours, V3": HiFiGANGenerator(*SPACES, version="v3"),
        "iSTFT vocoder, 13.4 million": ISTFTVocoder(*SPACES),
        "iSTFT vocoder, 2.8 million": ISTFTVocoder(*SPACES, width=256, blocks=6),
    }
    first = made["ours, V1"]
    assert isinstance(first, HiFiGANGenerator)
    load_published(first, plain.state_dict())
    fold_published(plain)
    for network in made.values():
        fold_weight_norm(network.eval())
    with torch.no_grad():
        torch.testing.assert_close(first(None, {"mel": mel}), plain(mel), rtol=1e-4, atol=1e-5)

    def sounding(network: Generator) -> Callable[[], Tensor]:
        return lambda: network(None, {"mel": mel})

    return {PLAIN: lambda: plain(mel), **{name: sounding(network) for name, network in made.items()}}


def fold_published(network: nn.Module) -> None:
    """Fold torch's first weight norm."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for module in network.modules():
            if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)):
                nn.utils.remove_weight_norm(module)


def show(seconds: dict[str, list[float]], duration: float) -> None:
    """Print the table."""
    print("| vocoder | ms a second of sound (median) | times real time | ratio to plain V1 (median) | middle half |")
    print("| --- | --- | --- | --- | --- |")
    for name, times in seconds.items():
        ratios = sorted(ours / theirs for ours, theirs in zip(times, seconds[PLAIN], strict=True))
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        per_second = statistics.median(times) / duration
        print(
            f"| {name} | {1000 * per_second:.1f} | {1 / per_second:.1f} | {statistics.median(ratios):.3f} | "
            f"{low:.3f} to {high:.3f} |"
        )


def by_onnxruntime(mel: Tensor, rounds: int) -> None:
    """Print the time that onnxruntime takes for our V1."""
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]

    from sparring.export.onnx import export_generator

    frames = mel.shape[2]
    spaces = (WaveformSpace(RATE, frames * HOP), {"mel": MelSpace(RATE, frames=frames)})
    with tempfile.TemporaryDirectory() as folder:
        file = export_generator(HiFiGANGenerator(*spaces, version="v1"), *spaces, Path(folder)).file
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        times = []
        for _ in range(rounds):
            start = time.process_time()
            session.run(None, {"mel": mel.numpy()})
            times.append(time.process_time() - start)
    print(f"\nV1 in onnxruntime: {1000 * statistics.median(times) / (frames * HOP / RATE):.1f} ms a second of sound")
