"""``python -m hauberk`` is the ``hauberk`` command."""

from hauberk.cli import main

main()
