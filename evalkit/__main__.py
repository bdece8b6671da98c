"""`evalkit` and `python -m evalkit`: the command line, whose first statement hears signals."""

from evalkit.core import signals

if __name__ == "__main__":
    signals.catch()


def main() -> None:
    """Run the command line and exit with its code."""
    signals.catch()
    try:
        from evalkit.cli import main as run
    except BaseException:
        if signals.count():  # also where Python has made another error of the interrupt
            signals.leave()
        raise
    else:
        run()


if __name__ == "__main__":
    main()
