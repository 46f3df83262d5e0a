"""Agent Billy on Azure Functions: guards the log, registers the blueprints, nothing else."""

import azure.functions as func

from functions import about, alarms, attempts, first_key, mcp, repair, rest, sync, webhooks
from shared.telemetry.lines import keep_foreign_words_out

keep_foreign_words_out()

app = func.FunctionApp()
for part in (rest, mcp, webhooks, sync, attempts, repair, alarms, first_key, about):
    app.register_functions(part.blueprint)
