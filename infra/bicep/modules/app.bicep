// The function app: Flex Consumption, Python 3.13, its settings, and no way in but HTTPS.
param name string
param location string
param tags object
param identityId string
param identityClientId string
param subnetId string
param storageBlobEndpoint string
param storageQueueEndpoint string
param packageContainer string
param auditEndpoint string
param cosmosEndpoint string
param vaultUrl string
param insightsConnection string
param maximumInstances int
param alwaysReady int
param instanceMemory int
param httpConcurrency int
param extraHosts string
param allowedOrigins string
param trustedProxies string
param syncSchedule string
param traceShare string

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, {
    'azd-service-name': 'billy'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storageBlobEndpoint}${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstances
        instanceMemoryMB: instanceMemory
        alwaysReady: alwaysReady == 0 ? [] : [
          {
            name: 'http'
            instanceCount: alwaysReady
          }
        ]
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
  }
}

// A resource of its own, because the app's host name is known only when the app is there.
resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__blobServiceUri: storageBlobEndpoint
    AzureWebJobsStorage__queueServiceUri: storageQueueEndpoint
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    // Bytes of a request, read whole before any function is asked who sends it. The largest route takes less.
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '4194304'
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnection
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
    APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED: 'true'
    APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED: 'true'
    OTEL_TRACES_SAMPLER: 'traceidratio'
    OTEL_TRACES_SAMPLER_ARG: traceShare
    BILLY_STORE: 'azure'
    BILLY_IDENTITY_CLIENT_ID: identityClientId
    BILLY_COSMOS_ENDPOINT: cosmosEndpoint
    BILLY_TABLES_ENDPOINT: auditEndpoint
    BILLY_QUEUES_ENDPOINT: storageQueueEndpoint
    BILLY_KEY_VAULT_URL: vaultUrl
    BILLY_STRIPE_API_BASE: 'https://api.stripe.com'
    BILLY_ALLOW_SECRET_KEY: 'false'
    BILLY_ALLOWED_HOSTS: empty(extraHosts) ? app.properties.defaultHostName : '${app.properties.defaultHostName},${extraHosts}'
    BILLY_ALLOWED_ORIGINS: allowedOrigins
    BILLY_TRUSTED_PROXIES: trustedProxies
    BILLY_WEBHOOK_TOLERANCE: '300'
    BILLY_SYNC_SCHEDULE: syncSchedule
    BILLY_SYNC_CONCURRENCY: '4'
    BILLY_SYNC_REQUESTS_PER_SECOND: '20'
  }
}

resource noFtpPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noDeploymentPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
