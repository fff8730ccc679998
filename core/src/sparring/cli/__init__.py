"""The command line: ``sparring recipes | show | copy | check | schema | run | resume | generate | …``.

Nothing here imports torch, pydantic or a plugin until a command needs it, so that listings answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sparring.errors import SparringError

INTERRUPTED = 130  # 128 + SIGINT, as shells count it
FAILED = 1
BROKEN = 70  # EX_SOFTWARE: an error that nobody foresaw


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``sparring`` program.

    Args:
        arguments: The words after the program's name; by default the process's own.

    Returns:
        The exit code: 0; 1 for a mistake that the message explains; 2 for a wrong command line; 70 for an
        unforeseen error; 130 after Ctrl-C.
    """
    from sparring.cli import output

    words = list(sys.argv[1:] if arguments is None else arguments)
    # Read off by hand, because an error may come before or while the words are parsed.
    as_json = "--json" in words
    try:
        from sparring.cli.app import command_line

        command_line(words).main(words, prog_name="sparring")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else FAILED if ending.code else 0
    except KeyboardInterrupt:
        output.tell("interrupted")
        return INTERRUPTED
    except SparringError as error:
        output.show_error(error, as_json=as_json)
        return FAILED
    except Exception as error:
        output.show_surprise(error, as_json=as_json)
        return BROKEN
    return 0
