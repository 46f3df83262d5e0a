"""The edge: a trigger becomes a call of the domain. No rule, no store and no Stripe lives here."""
