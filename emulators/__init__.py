"""Azurite and a Cosmos DB server as processes of their own on loopback, from a locked list of npm packages."""
