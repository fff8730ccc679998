"""Text for Sparring: token sequences, networks that write and judge them, and metrics."""

from sparring import Plugin

plugin = Plugin("text")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("data", "lines", "data.lines:Lines", "Your own text: a file with one sentence a line"),
    (
        "data",
        "wordnet-examples",
        "data.wordnet:WordNetExamples",
        "Short English sentences of WordNet; nothing to download",
    ),
    ("discriminator", "cnn", "networks.cnn:CNNDiscriminator", "Convolutions of several widths over words (Kim)"),
    ("generator", "lstm", "networks.lstm:LSTMGenerator", "An LSTM with likelihood, sampling and Gumbel-softmax"),
    ("metric", "bleu", "metrics.bleu:BLEU", "How many n-grams of generated sentences held-out ones have"),
    (
        "metric",
        "ngrams",
        "metrics.ngrams:NGrams",
        "How far n-grams are from held-out ones, and from those of shuffled words",
    ),
    ("metric", "self-bleu", "metrics.bleu:SelfBLEU", "How alike generated sentences are"),
    ("term", "imitation", "imitation:Imitation", "Likelihood beside a critic, so that a generator keeps its language"),
    ("space", "tokens", "spaces:TokenSpace", "Sentences as sequences of words or word pieces"),
):
    plugin.add(kind, name, f"sparring_text.{target}", summary)
