"""Where things are kept: one protocol a need, one adapter an engine."""
