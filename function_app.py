"""Agent Billy on Azure Functions: registers the blueprints, nothing else."""

import azure.functions as func

from functions import about, alarms, attempts, mcp, rest, sync, webhooks

app = func.FunctionApp()
for part in (rest, mcp, webhooks, sync, attempts, alarms, about):
    app.register_functions(part.blueprint)
