// Agent Billy in one resource group, from nothing. Everything in it is reached by identity: there is no key and no connection string.
targetScope = 'subscription'

@description('Names the environment, and with it the resource group: for example billing-prod.')
@minLength(3)
@maxLength(24)
param name string

@description('The Azure region.')
param location string

@description('What Stripe key this environment will hold. live keeps backups for 30 days and locks the stores against deletion.')
@allowed([
  'test'
  'live'
])
param stripeMode string = 'test'

@description('serverless is paid by request; autoscale is for steady load, and costs a tenth of its ceiling at rest. An account cannot be changed from one to the other.')
@allowed([
  'serverless'
  'autoscale'
])
param cosmosCapacity string = 'serverless'

@description('A Cosmos DB account that was restored from a backup and takes the place of the deployment\'s own.')
param cosmosName string = ''

@description('Instances at most. What they cost is paid only while they run.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 100

@description('Instances that are kept warm for HTTP, so that no first request waits.')
@minValue(0)
@maxValue(20)
param alwaysReady int = 0

@description('Memory of an instance in MB.')
@allowed([
  2048
  4096
])
param instanceMemory int = 2048

@description('HTTP requests that one instance works on at once. The code waits on the network most of the time.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('true puts stores and secrets behind private endpoints and closes their public addresses.')
param privateNetwork bool = false

@description('Host names besides the app\'s own under which people and agents reach it, separated by commas.')
param extraHosts string = ''

@description('Browser origins that may call, separated by commas: https:// and a host, never * and never null. None by default.')
param allowedOrigins string = ''

@description('Who is believed in X-Forwarded-For: azure, and the addresses or networks of what stands before it, separated by commas.')
param trustedProxies string = 'azure'

@description('When everything is compared with Stripe, as NCRONTAB of six fields.')
param syncSchedule string = '0 17 */6 * * *'

@description('Which share of the traces is kept, from 0 to 1. Measures, log lines and audit rows are always kept.')
param traceShare string = '1'

@description('Who gets the alerts. Without an address alerts are shown in the portal alone.')
param alertEmail string = ''

@description('The person or pipeline that sets secrets, as object id. Without one nobody is granted that here.')
param operatorId string = ''

@description('Whether operatorId is a person or a pipeline\'s service principal.')
@allowed([
  'User'
  'ServicePrincipal'
])
param operatorType string = 'User'

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logRetention int = 90

@description('Tags on every resource besides Billy\'s own.')
param tags object = {}

var token = toLower(uniqueString(subscription().id, name, location))
var allTags = union(tags, {
  'azd-env-name': name
  application: 'agent-billy'
  'stripe-mode': stripeMode
})
var protected = stripeMode == 'live'

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${name}'
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-billy-${token}'
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    retention: logRetention
    appPrincipalId: identity.outputs.principalId
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'stbilly${token}'
    location: location
    tags: allTags
    public: !privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    appPrincipalId: identity.outputs.principalId
  }
}

module audit 'modules/audit.bicep' = {
  name: 'audit'
  scope: group
  params: {
    name: 'staudit${token}'
    location: location
    tags: allTags
    public: !privateNetwork
    protected: protected
    workspaceId: monitoring.outputs.workspaceId
    appPrincipalId: identity.outputs.principalId
  }
}

module cosmos 'modules/cosmos.bicep' = {
  name: 'cosmos'
  scope: group
  params: {
    name: empty(cosmosName) ? 'cosmos-billy-${token}' : cosmosName
    location: location
    tags: allTags
    public: !privateNetwork
    protected: protected
    capacity: cosmosCapacity
    workspaceId: monitoring.outputs.workspaceId
    appPrincipalId: identity.outputs.principalId
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: allTags
    public: !privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    appPrincipalId: identity.outputs.principalId
    operatorId: operatorId
    operatorType: operatorType
  }
}

module endpoints 'modules/endpoints.bicep' = if (privateNetwork) {
  name: 'endpoints'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    networkId: privateNetwork ? network.outputs.networkId : ''
    subnetId: privateNetwork ? network.outputs.endpointSubnetId : ''
    storageId: storage.outputs.id
    auditId: audit.outputs.id
    cosmosId: cosmos.outputs.id
    vaultId: vault.outputs.id
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    name: 'func-billy-${token}'
    location: location
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
    storageBlobEndpoint: storage.outputs.blobEndpoint
    storageQueueEndpoint: storage.outputs.queueEndpoint
    packageContainer: storage.outputs.packageContainer
    auditEndpoint: audit.outputs.tableEndpoint
    cosmosEndpoint: cosmos.outputs.endpoint
    vaultUrl: vault.outputs.url
    insightsConnection: monitoring.outputs.insightsConnection
    maximumInstances: maximumInstances
    alwaysReady: alwaysReady
    instanceMemory: instanceMemory
    httpConcurrency: httpConcurrency
    extraHosts: extraHosts
    allowedOrigins: allowedOrigins
    trustedProxies: trustedProxies
    syncSchedule: syncSchedule
    traceShare: traceShare
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    email: alertEmail
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output BILLY_URL string = app.outputs.url
output BILLY_VAULT_NAME string = vault.outputs.name
output BILLY_FUNCTION_APP string = app.outputs.name
