# SPDX-License-Identifier: Apache-2.0
"""What the gateway has taken into custody: one SQLite file.

    database   opening, pragmas, migrations
    writer     one thread that writes; many transactions share one commit
    rows       what a message is in the store, and the errors of the store
    messages   messages: taking in, the outbox to the city, confirmation, thinning
    calls      calls for help: codes, stages, answers
    jobs       messages to boxes and what became of them
    erasure    retention, erasing a call from every byte
    backup     copies, restoring, salvage
    store      the object the rest of the gateway holds

Every function over a connection runs inside a transaction of the writer; none of them commits.
"""
