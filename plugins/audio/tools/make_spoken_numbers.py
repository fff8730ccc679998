# ruff: noqa: INP001 - a script, and no part of the package
"""Make ``sparring_audio/numbers_data`` from Debian's package of Asterisk's prompts.

Run it where ``apt-get`` and ``dpkg`` are, as any user, with soundfile installed::

    python plugins/audio/tools/make_spoken_numbers.py

It downloads the package (18 MB) into a temporary folder, takes the ten digits out of it, and writes them as FLAC, which
changes no sample.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

PACKAGE = "asterisk-core-sounds-en-wav"
INSIDE = Path("usr/share/asterisk/sounds/en_US_f_Allison/digits")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8000
TARGET = Path(__file__).parents[1] / "src" / "sparring_audio" / "numbers_data"
CREDITS = """\
# The recorded number words

The ten files beside this one are the English words *zero* to *nine*, spoken once each.

- Voice: Allison Smith (http://www.theivrvoice.com). Copyright 2003-2010 Allison Smith.
- Source: the core sounds of Asterisk, with financial contributions by Digium, Inc. (http://www.digium.com);
  http://downloads.asterisk.org/pub/telephony/asterisk/
- Package: Debian's `{package}`, version {version}; its files `{inside}/0.wav` to `9.wav`.
- Licence: Creative Commons Attribution-ShareAlike 3.0 Unported (CC-BY-SA-3.0),
  https://creativecommons.org/licenses/by-sa/3.0/legalcode
- Changes: renamed from digits to words, and packed from WAV into FLAC, which is lossless: the {rate} samples a second,
  of 16 bits, are the same. `plugins/audio/tools/make_spoken_numbers.py` did it.

The licence of these recordings is not that of the program around them, which is Apache-2.0. Whoever passes the
recordings on, changed or not, names the voice and the source, says what was changed, and passes them on under
CC-BY-SA-3.0. The variants that `audio/spoken-numbers` makes of them are changed versions in this sense.
"""


def main() -> None:
    """Download, unpack, convert, and write the credits."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True)
        (archive,) = folder.glob(f"{PACKAGE}_*.deb")
        subprocess.run(["dpkg", "-x", archive, folder / "unpacked"], check=True)
        field = ["dpkg-deb", "--field", archive, "Version"]
        version = subprocess.run(field, check=True, capture_output=True, text=True).stdout.strip()
        for digit, word in enumerate(WORDS):
            convert(folder / "unpacked" / INSIDE / f"{digit}.wav", TARGET / f"{word}.flac")
    text = CREDITS.format(package=PACKAGE, version=version, inside=INSIDE, rate=RATE)
    (TARGET / "CREDITS.md").write_text(text, encoding="utf-8")


def convert(source: Path, target: Path) -> None:
    """Pack a recording into FLAC, and see that not a sample has changed."""
    samples, rate = soundfile.read(source, dtype="int16")
    if rate != RATE or samples.ndim != 1:
        raise SystemExit(f"{source.name} has {rate} Hz and shape {samples.shape}: the package has changed")
    soundfile.write(target, samples, rate, subtype="PCM_16", compression_level=1.0)
    again, _ = soundfile.read(target, dtype="int16")
    if not np.array_equal(samples, again):
        raise SystemExit(f"{target.name} differs from {source.name}")


if __name__ == "__main__":
    main()
