"""Files that say which packages a repository runs with: which there are, and what stands in each."""

from hauberk.assurance.environment.locks.finding import is_lock, lock_files, read_lock

__all__ = ["is_lock", "lock_files", "read_lock"]
