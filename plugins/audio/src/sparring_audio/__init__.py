"""Speech and other sound for Sparring: networks, data, and the measures of what was generated."""

from sparring import Plugin

plugin = Plugin("audio")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("data", "band-limited", "band_limited:BandLimited", "Any sounds without their upper frequencies, to be extended"),
    ("data", "drum-hits", "drums:DrumHits", "Strokes of five kinds on drums and cymbals, from twelve kits; fetched"),
    ("data", "folder", "folder:Folder", "Your own sounds: a folder, whose sub-folders are labels"),
    ("data", "hugging-face", "hugging_face:HuggingFace", "Sounds of a Hugging Face dataset, by name or local folder"),
    ("data", "noisy", "noisy:Noisy", "Any sounds with noise mixed in at stated ratios, to be taken away again"),
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
        *("data", "spoken-sentences", "spoken_sentences:SpokenSentences"),
        "Russian sentences as text with durations and pitch, and their mel spectrograms",
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
        *("discriminator", "mel-patches", "networks.mel_patches:MelPatches"),
        "Judges patches of short windows of a mel spectrogram",
    ),
    (
        *("discriminator", "metric-discriminator", "networks.enhancement:MetricDiscriminator"),
        "Predicts a score from two sounds' spectra (MetricGAN)",
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
    ("encoder", "speaker", "speakers:SpeakerEncoder", "Resemblyzer's features of whose voice it is; fetched"),
    (
        *("generator", "acoustic-model", "networks.acoustic:AcousticModel"),
        "Text to mel spectrograms, through durations and pitch (FastSpeech 2, FastPitch)",
    ),
    ("generator", "band-extender", "networks.extension:BandExtender", "High frequencies for sounds that lack them"),
    (
        *("generator", "gansynth", "networks.gansynth:GansynthGenerator"),
        "GANSynth's generator at a fixed size, of levels and instantaneous frequencies",
    ),
    (
        *("generator", "griffin-lim-vocoder", "networks.griffin_lim:GriffinLimVocoder"),
        "Griffin-Lim, from magnitudes that a network has mended: a vocoder that is quick to train",
    ),
    ("generator", "hifigan", "networks.hifigan:HiFiGANGenerator", "HiFi-GAN's vocoder, versions 1, 2 and 3"),
    (
        *("generator", "istft-vocoder", "networks.istft:ISTFTVocoder"),
        "A vocoder of ConvNeXt blocks and an inverse Fourier transform: fast on processors",
    ),
    (
        *("generator", "mask-enhancer", "networks.enhancement:MaskEnhancer"),
        "A recurrent network that masks noise (MetricGAN+)",
    ),
    ("generator", "specgan", "networks.specgan:SpecganGenerator", "SpecGAN's generator of spectrograms"),
    (
        *("generator", "spectrogram", "networks.spectrogram:SpectrogramGenerator"),
        "Transposed convolutions over mel bands and frames",
    ),
    ("generator", "wavegan", "networks.wavegan:WaveganGenerator", "WaveGAN's generator of waveforms"),
    (
        *("metric", "diversity", "metrics.diversity:Diversity"),
        "Spread within a class against that of the training clips, and distance to the nearest of them",
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
        *("metric", "prosody", "metrics.prosody:Prosody"),
        "Errors of the durations and the pitch that are predicted for a text",
    ),
    (
        "metric",
        "sound",
        "metrics.generated:SoundMeasures",
        "Distance to the nearest real sound, loudness, and share of silence",
    ),
    ("metric", "stoi", "metrics.quality:STOI", "Intelligibility of speech beside the real one (STOI)"),
    (
        "metric",
        "word-accuracy",
        "metrics.generated:WordAccuracy",
        "How many sounds are heard as the word that was asked for",
    ),
    ("metric", "word-errors", "metrics.words:WordErrors", "Word error rate, by a Whisper model of your own"),
    ("reward", "pesq", "rewards:PESQReward", "PESQ beside the reference, scaled to [0, 1]"),
    ("reward", "stoi", "rewards:STOIReward", "STOI beside the reference"),
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
    ("space", "spoken-text", "spoken_text:SpokenText", "Russian sentences, with how they are spoken where it is known"),
    ("space", "waveform", "waveform:WaveformSpace", "Waveforms in [-1, 1], as they are"),
    (
        *("term", "duration", "prosody_terms:Duration"),
        "Square difference of predicted durations from the spoken ones (FastSpeech 2)",
    ),
    (
        *("term", "log-magnitude", "waveform_terms:LogMagnitude"),
        "The difference of log magnitudes that a vocoder means to sound and of the real ones",
    ),
    (
        *("term", "mel-l1", "waveform_terms:MelL1"),
        "The difference of log-mel spectrograms of generated and real waveforms",
    ),
    (
        *("term", "multi-resolution-stft", "waveform_terms:MultiResolutionSTFT"),
        "Spectral convergence and log magnitude of spectra of several resolutions",
    ),
    (
        *("term", "pitch", "prosody_terms:Pitch"),
        "Square difference of predicted pitch from the spoken one (FastPitch)",
    ),
):
    plugin.add(kind, name, f"sparring_audio.{target}", summary)
