"""Text for Sparring: token sequences, networks that write and judge them, and metrics."""

from sparring import Plugin

plugin = Plugin("text")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("data", "bible", "data.bible:Bible", "31,102 verses of the King James Bible"),
    ("data", "brown", "data.brown:Brown", "57,340 sentences of American English in fifteen genres"),
    ("data", "fortunes", "data.fortunes:Fortunes", "Quotations and jokes by topic, some of them crude"),
    ("data", "grammar", "data.grammar:Grammar", "Arithmetic expressions of a small grammar"),
    ("data", "hugging-face", "data.hugging_face:HuggingFace", "A Hugging Face dataset of text, by name or local"),
    ("data", "lines", "data.lines:Lines", "Your own text: a file with one sentence a line"),
    ("data", "oracle", "data.oracle:Oracle", "Sequences of a random LSTM, whose true likelihood is known (SeqGAN)"),
    ("data", "table", "data.table:Table", "Your own text in a CSV or JSONL file, with classes if it has some"),
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
        "Any Hugging Face causal language model",
    ),
    ("encoder", "language-model", "metrics.encoders:LanguageModelEncoder", "A small LSTM, trained on the data's text"),
    ("encoder", "sentence-encoder", "metrics.encoders:SentenceEncoder", "Any Hugging Face encoder, by its name"),
    ("encoder", "static-embeddings", "metrics.encoders:StaticEmbeddings", "WordLlama's embeddings, averaged"),
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
    ("metric", "distinct", "metrics.distinct:Distinct", "The share of different n-grams (Li et al.)"),
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
    ("metric", "perplexity", "metrics.perplexity:Perplexity", "Perplexity under a named, pretrained language model"),
    (
        "metric",
        "reverse-perplexity",
        "metrics.reverse_perplexity:ReversePerplexity",
        "Language models of generated text on real text, and the other way round",
    ),
    ("metric", "self-bleu", "metrics.self_bleu:SelfBLEU", "How alike generated sentences are"),
    (
        "metric",
        "temperature-frontier",
        "metrics.temperature_frontier:TemperatureFrontier",
        "Likelihood both ways at several temperatures (Caccia et al.)",
    ),
    ("reward", "bleu", "rewards:BLEUReward", "How many n-grams of a sentence real ones have"),
    ("reward", "pattern", "rewards:PatternReward", "Sentences in which a regular expression is found"),
    ("reward", "words", "rewards:WordsReward", "Words to write more of, and words to write less of"),
    ("space", "tokens", "spaces:TokenSpace", "Sentences as sequences of words or word pieces"),
):
    plugin.add(kind, name, f"sparring_text.{target}", summary)
