"""Agent Billy on Azure Functions: registers the blueprints, nothing else."""

import azure.functions as func

from functions import about, alarms, attempts, first_key, mcp, repair, rest, sync, webhooks

app = func.FunctionApp()
for part in (rest, mcp, webhooks, sync, attempts, repair, alarms, first_key, about):
    app.register_functions(part.blueprint)
