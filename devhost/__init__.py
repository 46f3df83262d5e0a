"""A local Azure Functions host: it drives Microsoft's own worker library in process and serves one function app."""
