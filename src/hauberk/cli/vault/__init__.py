"""The commands of ``hauberk vault``, one file each."""
