"""Text for Sparring: token sequences, networks that write and judge them, and metrics."""

from sparring import Plugin

plugin = Plugin("text")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("data", "grammar", "data.grammar:Grammar", "Arithmetic expressions of a small grammar"),
    ("data", "lines", "data.lines:Lines", "Your own text: a file with one sentence a line"),
    ("data", "oracle", "data.oracle:Oracle", "Sequences of a random LSTM, whose true likelihood is known (SeqGAN)"),
    ("data", "wordnet-examples", "data.wordnet:WordNetExamples", "Short English sentences of WordNet; they ship"),
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
    ("metric", "bleu", "metrics.bleu:BLEU", "How many n-grams of generated sentences held-out ones have"),
    (
        "metric",
        "ngrams",
        "metrics.ngrams:NGrams",
        "How far n-grams are from held-out ones, and those of shuffled words",
    ),
    (
        "metric",
        "oracle-nll",
        "metrics.oracle_nll:OracleNLL",
        "Likelihood both ways: by an oracle, and of its sequences",
    ),
    ("metric", "parse-rate", "metrics.parse_rate:ParseRate", "How many expressions the arithmetic grammar accepts"),
    ("metric", "self-bleu", "metrics.self_bleu:SelfBLEU", "How alike generated sentences are"),
    (
        "metric",
        "temperature-frontier",
        "metrics.temperature_frontier:TemperatureFrontier",
        "Likelihood both ways at several temperatures (Caccia et al.)",
    ),
    ("term", "imitation", "imitation:Imitation", "Likelihood beside a critic, so that a generator keeps its language"),
    ("space", "tokens", "spaces:TokenSpace", "Sentences as sequences of words or word pieces"),
):
    plugin.add(kind, name, f"sparring_text.{target}", summary)
