"""Speech and other sound for Sparring: networks, data, and the measures of what was generated."""

from sparring import Plugin

plugin = Plugin("audio")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("data", "drum-hits", "drums:DrumHits", "Strokes of five kinds on drums and cymbals, from twelve kits; fetched"),
    ("data", "folder", "folder:Folder", "Your own sounds: a folder, whose sub-folders are labels"),
    ("data", "hugging-face", "hugging_face:HuggingFace", "Sounds of a Hugging Face dataset, by name or local folder"),
    ("data", "prompts", "prompts:Prompts", "A telephone's prompts with what they say, at 8 or 16 kHz; fetched"),
    (
        *("data", "recordings", "recordings:Recordings"),
        "Whole recordings in a folder: segments from random places of them",
    ),
    (
        *("data", "russian-speech", "russian:RussianSpeech"),
        "620 sentences of one Russian voice, with texts and the times of phones",
    ),
    (
        *("data", "spoken-numbers", "numbers:SpokenNumbers"),
        "The words zero to nine, recorded once each and varied a little",
    ),
    (
        *("data", "vocoding", "vocoding:Vocoding"),
        "Any waveforms, each with the mel spectrogram that it is to be made from",
    ),
    (
        *("discriminator", "gansynth", "networks.gansynth:GansynthDiscriminator"),
        "GANSynth's critic at a fixed size, for levels and instantaneous frequencies",
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
    ("discriminator", "specgan", "networks.specgan:SpecganDiscriminator", "SpecGAN's critic of spectrograms"),
    (
        *("discriminator", "spectrogram", "networks.spectrogram:SpectrogramDiscriminator"),
        "Strided convolutions over mel bands and frames",
    ),
    (
        *("discriminator", "together", "networks.critics:Together"),
        "Several critics of the same samples, such as HiFi-GAN's periods and scales",
    ),
    (
        *("discriminator", "wavegan", "networks.wavegan:WaveganDiscriminator"),
        "WaveGAN's critic of waveforms, with phase shuffle",
    ),
    ("encoder", "classifier", "encoders:ClassifierEncoder", "A small classifier, trained on the data's own labels"),
    (
        *("generator", "gansynth", "networks.gansynth:GansynthGenerator"),
        "GANSynth's generator at a fixed size, of levels and instantaneous frequencies",
    ),
    ("generator", "hifigan", "networks.hifigan:HiFiGANGenerator", "HiFi-GAN's vocoder, versions 1, 2 and 3"),
    (
        *("generator", "istft-vocoder", "networks.istft:ISTFTVocoder"),
        "A vocoder of ConvNeXt blocks and an inverse Fourier transform: fast on processors",
    ),
    ("generator", "specgan", "networks.specgan:SpecganGenerator", "SpecGAN's generator of spectrograms"),
    (
        *("generator", "spectrogram", "networks.spectrogram:SpectrogramGenerator"),
        "Transposed convolutions over mel bands and frames",
    ),
    ("generator", "wavegan", "networks.wavegan:WaveganGenerator", "WaveGAN's generator of waveforms"),
    (
        *("metric", "diversity", "diversity:Diversity"),
        "Spread within a class against that of the training clips, and distance to the nearest of them",
    ),
    ("metric", "sound", "metrics:SoundMeasures", "Distance to the nearest real sound, loudness, and share of silence"),
    ("metric", "word-accuracy", "metrics:WordAccuracy", "How many sounds are heard as the word that was asked for"),
    (
        *("space", "instantaneous-frequency", "frequency_space:InstantaneousFrequencySpace"),
        "Log magnitudes and instantaneous frequencies in [-1, 1], from which sound comes back exactly (GANSynth)",
    ),
    ("space", "log-mel", "spaces:LogMelSpace", "Log-mel spectrograms in [-1, 1], and back to sound by Griffin-Lim"),
    (
        *("space", "log-stft", "stft_space:LogStftSpace"),
        "Log magnitudes, each frequency normalised by the data's own statistics and clipped (SpecGAN)",
    ),
    ("space", "mel", "mels:MelSpace", "Mel spectrograms that drive a vocoder: a contract, HiFi-GAN's dialect at first"),
    ("space", "waveform", "waveform:WaveformSpace", "Waveforms in [-1, 1], as they are"),
    (
        *("term", "mel-l1", "waveform_terms:MelL1"),
        "The difference of log-mel spectrograms of generated and real waveforms",
    ),
    (
        *("term", "multi-resolution-stft", "waveform_terms:MultiResolutionSTFT"),
        "Spectral convergence and log magnitude of spectra of several resolutions",
    ),
):
    plugin.add(kind, name, f"sparring_audio.{target}", summary)
