"""The commands of ``hauberk data``, one file each."""
