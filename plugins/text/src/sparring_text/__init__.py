"""Text for Sparring: token sequences, networks that write and judge them, and metrics."""

from sparring import Plugin

plugin = Plugin("text")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("data", "lines", "lines:Lines", "Your own text: a file with one sentence a line"),
    ("data", "wordnet-examples", "wordnet:WordNetExamples", "Short English sentences of WordNet; nothing to download"),
    ("discriminator", "cnn", "networks.cnn:CNNDiscriminator", "Convolutions of several widths over words (Kim)"),
    (
        "discriminator",
        "pretrained-encoder",
        "networks.encoder:EncoderDiscriminator",
        "Any Hugging Face encoder of text, frozen or trained",
    ),
    ("discriminator", "token-lstm", "networks.token_lstm:TokenLSTMDiscriminator", "An LSTM that judges at each token"),
    (
        "discriminator",
        "token-transformer",
        "networks.token_transformer:TokenTransformerDiscriminator",
        "A transformer that looks back, and judges at each token",
    ),
    (
        "generator",
        "causal-lm",
        "networks.causal_lm:CausalLMGenerator",
        "Any Hugging Face causal language model, trained whole or by LoRA",
    ),
    ("generator", "lstm", "networks.lstm:LSTMGenerator", "An LSTM with likelihood, sampling and Gumbel-softmax"),
    (
        "generator",
        "relational-memory",
        "networks.relational_memory:RelationalMemoryGenerator",
        "RelGAN's memory of slots that attend to one another",
    ),
    (
        "generator",
        "transformer",
        "networks.transformer:TransformerGenerator",
        "A small transformer that remembers keys and values of what it has read",
    ),
    ("metric", "bleu", "bleu:BLEU", "How many n-grams of generated sentences held-out ones have"),
    ("metric", "ngrams", "ngrams:NGrams", "How far n-grams are from held-out ones, and from those of shuffled words"),
    ("metric", "self-bleu", "bleu:SelfBLEU", "How alike generated sentences are"),
    ("term", "imitation", "imitation:Imitation", "Likelihood beside a critic, so that a generator keeps its language"),
    ("space", "tokens", "spaces:TokenSpace", "Sentences as sequences of words or word pieces"),
):
    plugin.add(kind, name, f"sparring_text.{target}", summary)
