"""``python -m aavqc``."""

from aavqc.cli import main

if __name__ == "__main__":
    main()
