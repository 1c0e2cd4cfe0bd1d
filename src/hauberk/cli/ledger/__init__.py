"""The commands of ``hauberk ledger``, one file each."""
