"""What the workspace consists of."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

# The five distributions, each with its folder.
FOLDERS = {
    "sparring": "core",
    "sparring-audio": "plugins/audio",
    "sparring-image": "plugins/image",
    "sparring-recipes": "recipes",
    "sparring-text": "plugins/text",
}
