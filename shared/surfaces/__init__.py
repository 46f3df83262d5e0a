"""How the catalogue is offered: REST, OpenAPI, MCP and `/api/tools`, all projected from the same operations."""
