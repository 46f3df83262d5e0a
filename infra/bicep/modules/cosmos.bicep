// The mirror of Stripe and Billy's own records. Containers, keys and indexes come from the file that the code reads too.
param name string
param location string
param tags object
param public bool
param protected bool
param capacity string
param workspaceId string
param appPrincipalId string

var layout = loadJsonContent('../cosmos-layout.json')
var serverless = capacity == 'serverless'

resource account 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: [
      {
        locationName: location
        failoverPriority: 0
        isZoneRedundant: false
      }
    ]
    capabilities: serverless ? [
      {
        name: 'EnableServerless'
      }
    ] : []
    consistencyPolicy: {
      defaultConsistencyLevel: layout.consistency
    }
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: {
        tier: protected ? 'Continuous30Days' : 'Continuous7Days'
      }
    }
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: public ? 'Enabled' : 'Disabled'
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2024-11-15' = {
  parent: account
  name: layout.database
  properties: {
    resource: {
      id: layout.database
    }
  }
}

resource containers 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = [for container in layout.containers: {
  parent: database
  name: container.name
  properties: {
    resource: union({
      id: container.name
      partitionKey: container.partitionKey
      indexingPolicy: container.indexingPolicy
    }, container.defaultTtl == null ? {} : {
      defaultTtl: container.defaultTtl
    })
    options: serverless ? {} : {
      autoscaleSettings: {
        maxThroughput: container.autoscaleMaxThroughput
      }
    }
  }
}]

resource documents 'Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions@2024-11-15' = {
  parent: account
  name: guid(account.id, 'agent-billy-documents')
  properties: {
    roleName: 'Agent Billy documents'
    type: 'CustomRole'
    assignableScopes: [
      account.id
    ]
    permissions: [
      {
        dataActions: [
          'Microsoft.DocumentDB/databaseAccounts/readMetadata'
          'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/executeQuery'
          'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/create'
          'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/read'
          'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/replace'
        ]
      }
    ]
  }
}

// Items of the one database, and no more: the app can neither delete a document, nor make or drop a container, nor read elsewhere.
resource usesDocuments 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2024-11-15' = {
  parent: account
  name: guid(account.id, appPrincipalId, 'agent-billy-documents')
  properties: {
    roleDefinitionId: documents.id
    principalId: appPrincipalId
    scope: '${account.id}/dbs/${layout.database}'
  }
}

resource cosmosLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'ControlPlaneRequests'
        enabled: true
      }
      {
        category: 'PartitionKeyRUConsumption'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'Requests'
        enabled: true
      }
    ]
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (protected) {
  name: 'records-stay'
  scope: account
  properties: {
    level: 'CanNotDelete'
    notes: 'Attempts and keys of live money are not deleted with a resource group.'
  }
}

output id string = account.id
output endpoint string = account.properties.documentEndpoint
