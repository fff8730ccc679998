"""Speech and other sound for Sparring: networks, data, and the measures of what was generated."""

from sparring import Plugin

plugin = Plugin("audio")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("data", "folder", "folder:Folder", "Your own sounds: a folder, whose sub-folders are labels"),
    (
        "data",
        "recordings",
        "recordings:Recordings",
        "Whole recordings in a folder: segments from random places of them",
    ),
    (
        *("data", "russian-speech", "russian:RussianSpeech"),
        "620 sentences of one Russian voice, with texts and the times of phones",
    ),
    (
        "data",
        "spoken-numbers",
        "numbers:SpokenNumbers",
        "The words zero to nine, recorded once each and varied a little",
    ),
    (
        "data",
        "vocoding",
        "vocoding:Vocoding",
        "Any waveforms, each with the mel spectrogram that it is to be made from",
    ),
    (
        *("discriminator", "multi-period", "networks.critics:MultiPeriod"),
        "HiFi-GAN's critics of waveforms folded at several periods",
    ),
    (
        *("discriminator", "multi-resolution", "networks.critics:MultiResolution"),
        "UnivNet's critics of spectra of several resolutions",
    ),
    (
        *("discriminator", "multi-scale", "networks.critics:MultiScale"),
        "HiFi-GAN's critics of a waveform, also averaged over two and four samples",
    ),
    (
        *("discriminator", "spectrogram", "networks.spectrogram:SpectrogramDiscriminator"),
        "Strided convolutions over mel bands and frames",
    ),
    (
        *("discriminator", "together", "networks.critics:Together"),
        "Several critics of the same samples, such as HiFi-GAN's periods and scales",
    ),
    ("encoder", "classifier", "encoders:ClassifierEncoder", "A small classifier, trained on the data's own labels"),
    ("generator", "hifigan", "networks.hifigan:HiFiGANGenerator", "HiFi-GAN's vocoder, versions 1, 2 and 3"),
    (
        *("generator", "istft-vocoder", "networks.istft:ISTFTVocoder"),
        "A vocoder of ConvNeXt blocks and an inverse Fourier transform: fast on processors",
    ),
    (
        *("generator", "spectrogram", "networks.spectrogram:SpectrogramGenerator"),
        "Transposed convolutions over mel bands and frames",
    ),
    ("metric", "sound", "metrics:SoundMeasures", "Distance to the nearest real sound, loudness, and share of silence"),
    ("metric", "word-accuracy", "metrics:WordAccuracy", "How many sounds are heard as the word that was asked for"),
    ("space", "log-mel", "spaces:LogMelSpace", "Log-mel spectrograms in [-1, 1], and back to sound by Griffin-Lim"),
    ("space", "mel", "mels:MelSpace", "Mel spectrograms that drive a vocoder: a contract, HiFi-GAN's dialect at first"),
    ("space", "waveform", "waveform:WaveformSpace", "Waveforms of one channel in [-1, 1]"),
    (
        "term",
        "mel-l1",
        "waveform_terms:MelL1",
        "The difference of log-mel spectrograms of generated and real waveforms",
    ),
    (
        *("term", "multi-resolution-stft", "waveform_terms:MultiResolutionSTFT"),
        "Spectral convergence and log magnitude of spectra of several resolutions",
    ),
):
    plugin.add(kind, name, f"sparring_audio.{target}", summary)
