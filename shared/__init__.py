"""The domain: what can be done with a company's billing, who may do it, and where it is kept."""
