"""Speech and other sound for Sparring: networks, data, and the measures of what was generated."""

from sparring import Plugin

plugin = Plugin("audio")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("data", "band-limited", "band_limited:BandLimited", "Any sounds without their upper frequencies, to be extended"),
    ("data", "folder", "folder:Folder", "Your own sounds: a folder, whose sub-folders are labels"),
    ("data", "noisy", "noisy:Noisy", "Any sounds with noise mixed in at stated ratios, to be taken away again"),
    (
        "data",
        "spoken-numbers",
        "numbers:SpokenNumbers",
        "The words zero to nine, recorded once each and varied a little",
    ),
    (
        *("discriminator", "metric-discriminator", "networks.enhancement:MetricDiscriminator"),
        "Predicts a score from two sounds' spectra (MetricGAN)",
    ),
    (
        *("discriminator", "spectrogram", "networks.spectrogram:SpectrogramDiscriminator"),
        "Strided convolutions over mel bands and frames",
    ),
    ("encoder", "classifier", "encoders:ClassifierEncoder", "A small classifier, trained on the data's own labels"),
    (
        *("encoder", "speaker", "speakers:SpeakerEncoder"),
        "Resemblyzer's features of whose voice it is; fetched",
    ),
    (
        *("generator", "band-extender", "networks.extension:BandExtender"),
        "High frequencies for sounds that lack them",
    ),
    (
        *("generator", "mask-enhancer", "networks.enhancement:MaskEnhancer"),
        "A recurrent network that masks noise (MetricGAN+)",
    ),
    (
        *("generator", "spectrogram", "networks.spectrogram:SpectrogramGenerator"),
        "Transposed convolutions over mel bands and frames",
    ),
    (
        *("metric", "log-spectral-distance", "metrics.spectra:LogSpectralDistance"),
        "Distance of levels over frequencies, in dB (LSD)",
    ),
    (
        *("metric", "mel-cepstral-distortion", "metrics.spectra:MelCepstralDistortion"),
        "Distance of mel cepstra, in dB (MCD)",
    ),
    (
        *("metric", "multi-resolution-stft", "metrics.spectra:MultiResolutionSTFT"),
        "Distance of spectra at three resolutions",
    ),
    ("metric", "pesq", "metrics.quality:PESQ", "Perceptual quality of speech beside the real one (PESQ)"),
    ("metric", "pitch", "metrics.pitch:Pitch", "Errors of pitch, and of where there is a voice"),
    (
        "metric",
        "sound",
        "metrics.generated:SoundMeasures",
        "Distance to the nearest real sound, loudness, and share of silence",
    ),
    ("metric", "stoi", "metrics.quality:STOI", "Intelligibility of speech beside the real one (STOI)"),
    (
        *("metric", "word-accuracy", "metrics.generated:WordAccuracy"),
        "How many sounds are heard as the word that was asked for",
    ),
    (
        *("metric", "word-errors", "metrics.words:WordErrors"),
        "Word error rate, by a Whisper model of your own",
    ),
    ("reward", "pesq", "rewards:PESQReward", "PESQ beside the reference, scaled to [0, 1]"),
    ("reward", "stoi", "rewards:STOIReward", "STOI beside the reference"),
    ("space", "log-mel", "spaces:LogMelSpace", "Log-mel spectrograms in [-1, 1], and back to sound by Griffin-Lim"),
    ("space", "waveform", "waveform:WaveformSpace", "Waveforms in [-1, 1]"),
    ("term", "multi-resolution-stft", "terms:MultiResolutionSTFT", "Distance of spectra at three resolutions"),
):
    plugin.add(kind, name, f"sparring_audio.{target}", summary)
