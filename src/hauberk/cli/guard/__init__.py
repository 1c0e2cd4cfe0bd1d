"""The commands of ``hauberk guard``, one a file."""
