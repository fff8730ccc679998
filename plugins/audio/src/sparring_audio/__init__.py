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
        "data",
        "spoken-numbers",
        "numbers:SpokenNumbers",
        "The words zero to nine, recorded once each and varied a little",
    ),
    (
        *("discriminator", "gansynth", "networks.gansynth:GansynthDiscriminator"),
        "GANSynth's critic at a fixed size, for levels and instantaneous frequencies",
    ),
    ("discriminator", "specgan", "networks.specgan:SpecganDiscriminator", "SpecGAN's critic of spectrograms"),
    (
        *("discriminator", "spectrogram", "networks.spectrogram:SpectrogramDiscriminator"),
        "Strided convolutions over mel bands and frames",
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
    ("space", "waveform", "waveform:WaveformSpace", "Waveforms in [-1, 1], as they are"),
):
    plugin.add(kind, name, f"sparring_audio.{target}", summary)
