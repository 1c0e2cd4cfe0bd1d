"""A vault's places, looked at before they are trusted.

    finding     what one look came to
    disks       encryption at rest, room, kind of file system, of a folder of this machine
    rights      who may read and replace the vault's files
    sqlite      how the embedded database keeps what it was told
    postgres    the same of a server, and TLS on the way to it
    stores      an object store: TLS, versions, encryption
    clocks      this machine's clock, by its kernel and by the others
    examining   all of it

Everything that is read is read-only, and nothing is asked but the places that the vault names.
"""
