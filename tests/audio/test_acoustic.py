"""Text to spectrograms: frames by durations, nothing from beyond the end, and data whose parts fit together."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import Generated
from sparring.spaces.array import ArraySpace
from sparring_audio.contours import pitch_by_hop
from sparring_audio.mels import MelSpace
from sparring_audio.metrics.prosody import Prosody
from sparring_audio.networks.acoustic import AcousticModel, regulate
from sparring_audio.networks.mel_patches import MelPatches
from sparring_audio.numbers import SpokenNumbers
from sparring_audio.prosody_terms import Duration, Pitch
from sparring_audio.spoken_sentences import EDGE, SpokenSentences, parts, pitch_of
from sparring_audio.spoken_text import UNKNOWN
from tests.audio.files import small_space
from tests.audio.speaking import RATE, hum, small_speech, speech

torch.set_num_threads(1)
SPEECH = speech()


def model(**options: int) -> AcousticModel:
    torch.manual_seed(0)
    network = AcousticModel(SPEECH.space, SPEECH.conditions, **{"width": 16, "encoder": 2, "decoder": 2, **options})
    for parameter in network.parameters():  # so that no predictor gives its average to every letter
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def batch(rows: int = 3) -> Batch:
    return SPEECH.gather(torch.arange(rows) % len(SPEECH), rng=torch.Generator())


# ---- the length regulator ----


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(1, 30))
def test_the_regulator_repeats_each_code(durations: list[int], frames: int) -> None:
    codes = torch.randn(1, len(durations), 3, generator=torch.Generator().manual_seed(0))
    laid = regulate(codes, torch.tensor([durations], dtype=torch.float32), frames)
    wanted = codes[0].repeat_interleave(torch.tensor(durations), dim=0)[:frames]
    assert torch.equal(laid.codes[0, : len(wanted)], wanted)
    assert laid.inside[0].tolist() == [place < len(wanted) for place in range(frames)]
    assert (laid.codes[0, len(wanted) :] == 0).all()
    assert (laid.places[0, len(wanted) :] == 0).all()
    over = [(place + 0.5) / count for count in durations for place in range(count)][:frames]
    torch.testing.assert_close(laid.places[0, : len(wanted), 0], torch.tensor(over))


# ---- the generator ----


def test_given_durations_are_obeyed_and_frames_past_the_end_are_silent() -> None:
    real = batch()
    assert real.lengths is not None
    made = model()(None, real.condition)
    assert made.sample.shape == real.sample.shape
    assert torch.equal(made.lengths, real.lengths)
    for row, length in enumerate(real.lengths.tolist()):
        assert (made.sample[row, :, length:] == SPEECH.space.silence).all()
        assert (made.sample[row, :, :length] != SPEECH.space.silence).all()


def test_padding_changes_nothing() -> None:
    """Neither padding of the text nor texts beside it, of known durations or not."""
    network, space = model(), SPEECH.conditions["text"]
    short, long = space.encode("Д+а, +это м+ы."), space.encode("Э+то м+ама, +это п+апа, +это +я, а +это м+ы вс+е.")
    padded = torch.full((3, long.shape[1]), UNKNOWN)
    padded[0] = 0
    padded[:, : short.shape[1]] = short
    alone, beside = network(None, {"text": short[None]}), network(None, {"text": torch.stack([padded, long])})
    length = int(alone.lengths[0])
    assert int(beside.lengths[0]) == length == alone.sample.shape[2]
    assert beside.sample.shape[2] == int(beside.lengths[1]) > length
    torch.testing.assert_close(beside.sample[0, :, :length], alone.sample[0], atol=1e-5, rtol=1e-5)
    assert (beside.sample[0, :, length:] == SPEECH.space.silence).all()
    for name, value in alone.extras.items():
        torch.testing.assert_close(beside.extras[name][0, : short.shape[1]], value[0], atol=1e-5, rtol=1e-5)
        assert (beside.extras[name][0, short.shape[1] :] == 0).all()


def test_predicted_durations_add_up_to_the_frames() -> None:
    made = model()(None, {"text": SPEECH.conditions["text"].encode("М+ама м+ыла р+аму.")[None]})
    durations = made.extras["log_durations"].expm1().round().clamp(0)
    assert int(durations.sum()) == int(made.lengths[0]) == made.sample.shape[2]


def test_a_long_text_of_known_durations_is_not_cut() -> None:
    text = SPEECH.conditions["text"].encode("М+ама м+ыла р+аму, м+ама м+ыла р+аму.")[None].clone()
    text[:, 1] = 9.0 * (text[:, 0] > 0)
    made = model()(None, {"text": text})
    assert made.sample.shape[2] == int(made.lengths[0]) == 9 * int((text[:, 0] > 0).sum()) > SPEECH.space.frames


def test_pitch_is_obeyed_and_nothing_else_of_the_prediction_moves() -> None:
    text, network = batch(1).condition["text"], model()
    higher = text.clone()
    higher[:, 2] += 1
    first, second = network(None, {"text": text}), network(None, {"text": higher})
    assert not torch.equal(first.sample, second.sample)
    assert torch.equal(first.extras["pitch"], second.extras["pitch"])
    assert torch.equal(first.lengths, second.lengths)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="from a condition 'text'"):
        AcousticModel(SPEECH.space, {"label": ArraySpace([3])})
    with pytest.raises(DataError, match="makes spectrograms of audio/mel"):
        AcousticModel(ArraySpace([3]), SPEECH.conditions)
    with pytest.raises(TrainingError, match="was given none"):
        model()(None, {})
    with pytest.raises(TrainingError, match=r"one of shape \(2, 8\)"):
        model()(None, {"text": torch.zeros(2, 8)})
    with pytest.raises(DataError, match="needs the times of phones, which SpokenNumbers"):
        SpokenSentences(SpokenNumbers(small_space(), variants=10))
    with pytest.raises(DataError, match="8000"):
        SpokenSentences(SPEECH.of, MelSpace(8000, highest=4000.0))
    with pytest.raises(DataError, match="no sentence of the recordings has a part of at most 2 frames"):
        SpokenSentences(SPEECH.of, MelSpace(RATE, window=512, hop=128, mels=20, frames=2))


# ---- the critic ----


def test_the_critic_does_not_look_past_the_end() -> None:
    torch.manual_seed(0)
    critic = MelPatches(SPEECH.space, windows=3, window=16, width=4)
    real = batch()
    assert real.lengths is not None
    changed = torch.where(torch.arange(160) < real.lengths[:, None, None], real.sample, 3.0)
    first, second = critic(real.sample, {}, real.lengths), critic(changed, {}, real.lengths)
    assert torch.equal(first.logits[0], second.logits[0])
    assert all(torch.equal(*pair) for pair in zip(first.features[0], second.features[0], strict=True))
    longer = torch.nn.functional.pad(real.sample, (0, 40), value=SPEECH.space.silence)
    torch.testing.assert_close(critic(longer, {}, real.lengths).logits[0], first.logits[0])


def test_windows_are_spread_over_the_sample() -> None:
    critic = MelPatches(SPEECH.space, windows=2, window=16, width=4)
    ramp = torch.arange(160.0).expand(2, 20, 160)
    cut = critic._cut(ramp, torch.tensor([160, 10]))
    assert cut[:, :, 0, 0].tolist() == [[36.0, 108.0], [0.0, 0.0]]
    assert torch.equal(cut[0, 1, 5], torch.arange(108.0, 124.0))
    with pytest.raises(DataError, match="2 windows of 500 frames cannot be cut from spectrograms of 160"):
        MelPatches(SPEECH.space, windows=2, window=500)


# ---- terms and the metric ----


class Speaks(torch.nn.Module):
    """Stands for a generator that predicts what it is told to."""

    def __init__(self, extras: dict[str, Tensor]) -> None:
        super().__init__()
        self.extras, self.latent_shape = extras, None

    def latent(self, n: int, *, rng: torch.Generator) -> None:
        return None

    def forward(self, latent: None, condition: dict[str, Tensor]) -> Generated:
        return Generated(torch.zeros(2, 20, 160), extras=self.extras)


def text_batch(symbols: list[list[int]], durations: list[list[int]], pitch: list[list[float]]) -> Batch:
    text = torch.stack([torch.tensor(rows, dtype=torch.float32) for rows in (symbols, durations, pitch)], dim=1)
    return Batch(torch.zeros(len(text), 20, 160), {"text": text})


def test_terms_and_metric_against_their_definitions() -> None:
    real = text_batch([[6, 7, 8], [6, 0, 0]], [[3, 0, 1], [7, 0, 0]], [[0.5, 0.0, 0.25], [-0.5, 9.0, 9.0]])
    log_durations = torch.tensor([[1.0, 0.5, 0.0], [2.0, 5.0, 5.0]])
    pitch = torch.tensor([[0.0, 5.0, 0.5], [0.0, 5.0, 5.0]])
    extras = {"log_durations": log_durations, "pitch": pitch}
    context = Context({"generator": Speaks(extras)}, real)
    logs = [(1.0, 3), (0.5, 0), (0.0, 1), (2.0, 7)]
    wanted = sum((one - torch.tensor(frames + 1.0).log().item()) ** 2 for one, frames in logs) / 4
    assert Duration(SPEECH.conditions)(context).item() == pytest.approx(wanted, rel=1e-5)
    frames_off = sum(abs(torch.tensor(one).expm1().item() - frames) for one, frames in logs) / 4
    assert context.recorded["duration_error"].item() == pytest.approx(frames_off, rel=1e-5)
    octaves = (0.5**2 + 0.25**2 + 0.5**2) / 3  # the second symbol has no duration
    assert Pitch(SPEECH.conditions)(context).item() == pytest.approx(octaves, rel=1e-5)
    metric = Prosody(SPEECH.space, SPEECH.conditions)
    metric.reset()
    metric.update(real, Batch(real.sample, real.condition, extras=extras))
    found = metric.compute()
    assert found["duration_error"] == pytest.approx(8 * frames_off, rel=1e-5)  # a frame is 128 samples at 16 kHz
    assert found["text_pitch_error"] == pytest.approx(1200 * octaves**0.5, rel=1e-5)


def test_terms_say_what_they_miss() -> None:
    context = Context({"generator": Speaks({})}, text_batch([[6]], [[1]], [[0.0]]))
    for term in (Duration(SPEECH.conditions), Pitch(SPEECH.conditions)):
        with pytest.raises(TrainingError, match="does not give"):
            term(context)
    with pytest.raises(DataError, match="audio/pitch compares with the condition 'text'"):
        Pitch({})
    with pytest.raises(DataError, match="counts frames of audio/mel"):
        Prosody(ArraySpace([3]), SPEECH.conditions)
    metric = Prosody(SPEECH.space, SPEECH.conditions)
    metric.reset()
    with pytest.raises(DataError, match="no texts"):
        metric.compute()
    with pytest.raises(TrainingError, match="does not give"):
        metric.update(context.batch, context.batch)


# ---- the data ----


def test_durations_add_up_to_the_frames_of_a_part() -> None:
    for data in (SPEECH, SPEECH.split("test")):
        found = data.gather(torch.arange(len(data)), rng=torch.Generator())
        text = found.condition["text"]
        assert found.lengths is not None
        assert torch.equal(text[:, 1].sum(1).long(), found.lengths)
        assert ((text[:, 1] == 0) | (text[:, 0] > 0)).all()
        assert (found.sample[:, :, -1][found.lengths < 160] == data.space.silence).all()


def test_a_part_is_the_spectrogram_of_its_place_and_its_letters_have_their_pitch() -> None:
    """Tones of the small voice: the third phone of a recording hums at 110 Hz, the fourth at 115, each for 8 frames."""
    data = SPEECH if any(one.text == "Ты мой." for one in SPEECH.of.utterances) else SPEECH.split("test")
    index = [one.text for one in data.of.utterances].index("Ты мой.")
    row = [data.conditions["text"].decode(data._texts[one]) for one in range(len(data))].index("ты\u0301 мо\u0301й.")
    found = data.gather(torch.tensor([row]), rng=torch.Generator())
    _, durations, pitch = found.condition["text"][0]
    assert durations[:8].tolist() == [EDGE, 8, 8, 0, 8, 8, 8, EDGE]
    torch.testing.assert_close(100 * 2 ** pitch[[1, 2, 4]], torch.tensor([105.0, 110.0, 115.0]), atol=0.5, rtol=0)
    waveform = data.of.waveform(index)
    whole = data.space.analyse(waveform[None, : len(waveform) // 128 * 128])[0]
    first = 20 - EDGE  # frames of the pause at the beginning
    assert torch.equal(found.sample[0, :, : int(found.lengths[0])], whole[:, first : first + int(found.lengths[0])])


def test_sentences_are_cut_in_pauses_into_parts_as_long_as_may_be() -> None:
    symbols, durations = list(" аб,вг,де."), [9, 2, 2, 20, 2, 2, 1, 2, 2, 9]
    (whole,) = parts(symbols, durations, 100, 200, 20)
    assert whole is not None
    assert (whole.first, whole.durations) == (109 - EDGE, [EDGE, 2, 2, 20, 2, 2, 1, 2, 2, EDGE])
    first, second = parts(symbols, durations, 100, 25, 20)
    assert first is not None
    assert second is not None
    assert (first.symbols, first.durations) == (list(" аб,"), [EDGE, 2, 2, EDGE])
    # A pause of a frame is no place to cut.
    assert (second.symbols, second.first, second.frames) == (list(" вг,де."), 133 - EDGE, 2 * EDGE + 9)
    assert list(parts(symbols, durations, 100, 18, 20)) == [first, None]


def test_pitch_is_measured_and_taken_over() -> None:
    for frequency in (70.0, 123.4, 251.0, 380.0):
        found = pitch_by_hop(torch.from_numpy(hum(frequency, 0.3)), RATE, 256)
        assert found[3:-3].tolist() == pytest.approx([frequency] * (len(found) - 6), rel=0.01)
    noise = torch.randn(8000, generator=torch.Generator().manual_seed(0)) * 0.1
    assert (pitch_by_hop(noise, RATE, 256) > 0).float().mean() < 0.1
    assert (pitch_by_hop(torch.zeros(8000), RATE, 256) == 0).all()
    contour = pitch_of(torch.tensor([0.0, 100, 100, 0, 0, 200, 0, 0, 0]), [1, 2, 2, 0, 2, 2])
    assert contour == [0.0, 0.0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0, 1.0]
    assert pitch_of(torch.zeros(3), [1, 2]) == [0.0, 0.0]
    assert small_speech().silence == pytest.approx(-11.5129, abs=1e-4)
