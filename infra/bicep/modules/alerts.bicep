// What wakes somebody. Each rule reads logs of the last minutes, and says in its description what to do.
param token string
param location string
param tags object
param workspaceId string
param email string

var rules = [
  {
    name: 'poison-messages'
    severity: 1
    text: 'A message failed every time and was put aside. docs/operate.md says how to look at it and bring it back.'
    query: 'StorageQueueLogs | where OperationName == "PutMessage" and Uri contains "-poison"'
  }
  {
    name: 'mirror-age'
    severity: 2
    text: 'The mirror of Stripe is incomplete or older than an hour. GET /api/sync says what stands in the way.'
    query: 'AppTraces | where Message contains "billy.mirror_old"'
  }
  {
    name: 'sync-failing'
    severity: 2
    text: 'A part of the synchronisation fails: a kind, the list of events, or the run; the others go on. GET /api/sync names it, its error and since when.'
    query: 'AppTraces | where Message contains "billy.sync_failing"'
  }
  {
    name: 'unknown-attempts'
    severity: 1
    text: 'Attempts to move money have no known outcome after 15 minutes. GET /api/attempts?state=unknown shows them; nothing is repeated by itself.'
    query: 'AppTraces | where Message contains "billy.attempts_unsettled"'
  }
  {
    name: 'needs-a-person'
    severity: 1
    text: 'What became of an attempt cannot be found out by itself, and its movement is blocked until a person ends it. docs/exactly-once.md says how.'
    query: 'AppTraces | where Message contains "billy.attempt_needs_a_person" or Message contains "billy.settling_failed"'
  }
  {
    name: 'money-disagrees'
    severity: 0
    text: 'Stripe shows other movements of money than were recorded. GET /api/audit?attempt= shows which; docs/exactly-once.md says what to do.'
    query: 'AppTraces | where Message contains "billy.stripe_disagrees"'
  }
  {
    name: 'keys-older'
    severity: 1
    text: 'The records of keys are older than the audit log: they were restored, lost or replaced. What was revoked stays revoked; docs/operate.md says what to look at.'
    query: 'AppTraces | where Message contains "billy.keys_older_than_audit"'
  }
  {
    name: 'digests-missing'
    severity: 3
    text: 'Audit rows carry no digest of the arguments, because the secret audit-digest is not set or cannot be read. docs/operate.md says how to set it.'
    query: 'AppTraces | where Message contains "billy.digests_missing"'
  }
  {
    name: 'audit-touched'
    severity: 0
    text: 'Somebody changed or deleted audit rows, or the table. The app cannot: a person with wider rights did.'
    query: 'StorageTableLogs | where OperationName in ("UpdateEntity", "MergeEntity", "DeleteEntity", "InsertOrReplaceEntity", "InsertOrMergeEntity", "DeleteTable") and StatusCode startswith "2"'
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'ag-billy-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'billy'
    enabled: true
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [for rule in rules: {
  name: 'alert-${rule.name}-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Agent Billy: ${rule.name}'
    description: rule.text
    severity: rule.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: empty(email) ? [] : [
        people.id
      ]
    }
  }
}]
