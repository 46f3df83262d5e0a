"""Who may: roles, caps and risk categories as data, and the pure function that decides. Imports nothing of ours."""
