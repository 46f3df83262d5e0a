"""Where queue messages are kept: one protocol, an embedded queue over SQLite and Azure Storage Queues."""
