//! The thirteen permissions of API clients.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an API client may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// File requests, see and cancel one's own.
    AccessRequest,
    /// Review requests, see and revoke grants, see and kill sessions.
    AccessManagement,
    /// File requests and issue access tokens for somebody else.
    AccessManagementProxyRequest,
    /// Hand in somebody else's review.
    AccessManagementProxyManage,
    /// Connect other systems.
    ModifyIntegrations,
    /// See and change rules.
    ModifyPolicies,
    /// See data maps.
    ViewDatamaps,
    /// Enrol and revoke sidecars, switch repos.
    ModifySidecarsAndRepositories,
    /// See sidecars and repos.
    ViewSidecarsAndRepositories,
    /// See and change API clients and identities.
    ModifyUsers,
    /// See and change roles.
    ModifyRoles,
    /// Look for data that should be protected.
    RepoCrawler,
    /// Read the audit trail.
    ViewAuditLogs,
}

/// A set of permissions.
pub(crate) type Permissions = BTreeSet<Permission>;

impl Permission {
    /// All thirteen.
    pub const ALL: [Self; 13] = [
        Self::AccessRequest,
        Self::AccessManagement,
        Self::AccessManagementProxyRequest,
        Self::AccessManagementProxyManage,
        Self::ModifyIntegrations,
        Self::ModifyPolicies,
        Self::ViewDatamaps,
        Self::ModifySidecarsAndRepositories,
        Self::ViewSidecarsAndRepositories,
        Self::ModifyUsers,
        Self::ModifyRoles,
        Self::RepoCrawler,
        Self::ViewAuditLogs,
    ];

    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessRequest => "access_request",
            Self::AccessManagement => "access_management",
            Self::AccessManagementProxyRequest => "access_management_proxy_request",
            Self::AccessManagementProxyManage => "access_management_proxy_manage",
            Self::ModifyIntegrations => "modify_integrations",
            Self::ModifyPolicies => "modify_policies",
            Self::ViewDatamaps => "view_datamaps",
            Self::ModifySidecarsAndRepositories => "modify_sidecars_and_repositories",
            Self::ViewSidecarsAndRepositories => "view_sidecars_and_repositories",
            Self::ModifyUsers => "modify_users",
            Self::ModifyRoles => "modify_roles",
            Self::RepoCrawler => "repo_crawler",
            Self::ViewAuditLogs => "view_audit_logs",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_json_is_the_name_that_is_printed() {
        for permission in Permission::ALL {
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.as_str());
        }
    }
}
