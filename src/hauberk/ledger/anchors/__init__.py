"""Anchors: a head tied to something that the log's keeper cannot rewrite, so that it cannot be back-dated.

    receipts            which files an anchor is made of
    evm                 as the data of a transaction on an Ethereum-type chain
    rfc3161             under a time stamp of an authority
    ots                 under Bitcoin, through an OpenTimestamps calendar

Each has a module that makes it and one that checks it (``…_checking``); the second believes nothing of the
first.
"""
