"""The commands of ``hauberk backup``, one file each."""
