"""The commands of ``hauberk access``, one a file."""
