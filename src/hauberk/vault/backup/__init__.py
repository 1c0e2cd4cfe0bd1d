"""Backups that count: made whole while others push, kept encrypted, and put back before they are believed.

    addresses    where a backup lies: a folder, SFTP, S3
    programs     other people's programs, run without secrets in their arguments
    password     with which a repository is opened
    restic       the engine: encryption, deduplication, increments, retention
    hashing      every file of a repository, compared with its name
    retention    how many old backups are kept, and (ages) how old the newest may be
    layout       what a snapshot holds, the only thing that maker and judge share
    copying      one moment of a database, SQLite or PostgreSQL
    keys         the vault's keys, sealed for those who may restore
    making       a snapshot of a vault
    restoring    a vault out of a snapshot
    judging      whether a restored vault is whole: nothing of what made it is used
    drilling     a restore into an empty place, judged and thrown away, with evidence
    schedule     timer and cron files

The engine is restic: it is in Debian, one static program, its encryption and deduplication were read by
others, and it speaks to folders, SFTP and S3 itself. Borg knows no object store and must run at the other end
too; kopia and rustic are in no Debian; duplicity chains its increments, so that one lost file breaks all that
follow.
"""
