// Calls real tools with the TypeScript SDK of the first generation; prints what it got as one line of JSON. Arguments: address, key.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, key] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${key}` } } });
const client = new Client({ name: "first-generation", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
const charge = await client.callTool({ name: "billy_get_charge", arguments: { id: "ch_001" } });
const list = await client.callTool({ name: "billy_list_charges", arguments: { limit: 3 } });
const stats = await client.callTool({ name: "billy_get_stats", arguments: {} });
const refused = await client.callTool({ name: "billy_get_charge", arguments: { id: "nonsense" } });
const unknown = await client.callTool({ name: "billy_no_such_tool", arguments: {} }).catch((error) => error.code);
console.log(
  JSON.stringify({ version: transport.protocolVersion, tools: tools.map((tool) => tool.name), charge, list, stats, refused, unknown }),
);
await client.close();
