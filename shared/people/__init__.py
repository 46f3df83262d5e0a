"""Who is calling: the keys, what each may do now, and the last way in. Later: members, sign-in, sessions."""
