"""The one door to Stripe: the calls Billy makes, its errors made ours, its events made mirror writes."""
