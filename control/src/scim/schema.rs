//! The schemas: what a user has, and what a group has (RFC 7643, sections 3, 4 and 8.7).

use serde_json::{Map, Value, json};

use super::{
    ROOT,
    attribute::{Attribute, named},
};

/// A resource, or a part of one, as JSON.
pub(super) type Fields = Map<String, Value>;

/// Attributes under one name.
#[derive(Debug)]
pub(super) struct Schema {
    /// Its URN.
    pub id: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// What it describes.
    pub description: &'static str,
    /// What is in it.
    pub attributes: &'static [Attribute],
}

/// A kind of resource.
#[derive(Debug)]
pub(super) struct ResourceType {
    /// `User`, `Group`
    pub name: &'static str,
    /// Where they are.
    pub endpoint: &'static str,
    /// Its own attributes.
    pub core: &'static Schema,
    /// More of them.
    pub extension: Option<&'static Schema>,
}

/// What every resource has.
pub(super) const COMMON: &[Attribute] = &[
    Attribute::text("id", "Ours, for ever").exact().always().read_only(),
    Attribute::text("externalId", "The directory's own").exact(),
    Attribute::text("schemas", "The URNs of its schemas").exact().always().multi().read_only(),
    Attribute::complex(
        "meta",
        "About the resource",
        &[
            Attribute::text("resourceType", "User or Group").exact(),
            Attribute::moment("created", "When it was made"),
            Attribute::moment("lastModified", "When it was changed last"),
            Attribute::reference("location", "Where it is", &["uri"]),
            Attribute::text("version", "Its entity tag").exact(),
        ],
    )
    .read_only(),
];

/// A list of values with a type each, such as e-mail addresses.
const fn plural(name: &'static str, description: &'static str) -> Attribute {
    const PARTS: &[Attribute] = &[
        Attribute::text("value", "The value"),
        Attribute::text("display", "For people"),
        Attribute::text("type", "work, home, other"),
        Attribute::boolean("primary", "Whether it is the first choice"),
    ];
    Attribute::complex(name, description, PARTS).multi()
}

const USER: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    description: "A person or a workload",
    attributes: &[
        Attribute::text(
            "userName",
            "The name at login; its e-mail address, where it is one, is the identity",
        )
        .key(),
        Attribute::complex(
            "name",
            "Parts of the name",
            &[
                Attribute::text("formatted", "The whole"),
                Attribute::text("familyName", "Last name"),
                Attribute::text("givenName", "First name"),
                Attribute::text("middleName", "Middle name"),
                Attribute::text("honorificPrefix", "Title before it"),
                Attribute::text("honorificSuffix", "What follows it"),
            ],
        ),
        Attribute::text("displayName", "For people"),
        Attribute::text("nickName", "How friends call it"),
        Attribute::reference("profileUrl", "A page about it", &["external"]),
        Attribute::text("title", "Job title"),
        Attribute::text("userType", "Employee, contractor, …"),
        Attribute::text("preferredLanguage", "Language"),
        Attribute::text("locale", "Locale"),
        Attribute::text("timezone", "Time zone"),
        Attribute::boolean("active", "False shuts the identity out"),
        Attribute::text("password", "Taken and thrown away").exact().write_only(),
        plural("emails", "E-mail addresses"),
        plural("phoneNumbers", "Telephone numbers"),
        plural("entitlements", "Entitlements"),
        plural("roles", "Roles"),
        Attribute::complex(
            "addresses",
            "Postal addresses",
            &[
                Attribute::text("formatted", "The whole"),
                Attribute::text("streetAddress", "Street and number"),
                Attribute::text("locality", "City"),
                Attribute::text("region", "Region"),
                Attribute::text("postalCode", "Postal code"),
                Attribute::text("country", "Country"),
                Attribute::text("type", "work, home, other"),
                Attribute::boolean("primary", "Whether it is the first choice"),
            ],
        )
        .multi(),
        Attribute::complex(
            "groups",
            "The groups that it is in",
            &[
                Attribute::text("value", "The group's id").exact(),
                Attribute::reference("$ref", "Where the group is", &["Group"]),
                Attribute::text("display", "The group's name"),
                Attribute::text("type", "direct"),
            ],
        )
        .multi()
        .read_only(),
    ],
};

const ENTERPRISE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    description: "Where in the company",
    attributes: &[
        Attribute::text("employeeNumber", "Number"),
        Attribute::text("costCenter", "Cost centre"),
        Attribute::text("organization", "Organisation"),
        Attribute::text("division", "Division"),
        Attribute::text("department", "Department"),
        Attribute::complex(
            "manager",
            "Manager",
            &[
                Attribute::text("value", "The manager's id").exact(),
                Attribute::reference("$ref", "Where the manager is", &["User"]),
                Attribute::text("displayName", "The manager's name").read_only(),
            ],
        ),
    ],
};

const GROUP: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    description: "Users, under a name that rules know as `group:NAME`",
    attributes: &[
        Attribute::text("displayName", "Its name").key(),
        Attribute::complex(
            "members",
            "Who is in it",
            &[
                Attribute::text("value", "The user's id").exact(),
                Attribute::reference("$ref", "Where the user is", &["User"]),
                Attribute::text("display", "The user's name"),
                Attribute::text("type", "User"),
            ],
        )
        .multi(),
    ],
};

/// Users.
pub(super) static USERS: ResourceType =
    ResourceType { name: "User", endpoint: "/Users", core: &USER, extension: Some(&ENTERPRISE) };

/// Groups.
pub(super) static GROUPS: ResourceType =
    ResourceType { name: "Group", endpoint: "/Groups", core: &GROUP, extension: None };

/// Both.
pub(super) fn resource_types() -> [&'static ResourceType; 2] {
    [&USERS, &GROUPS]
}

/// All schemas.
pub(super) fn schemas() -> [&'static Schema; 3] {
    [&USER, &GROUP, &ENTERPRISE]
}

impl ResourceType {
    /// An attribute of its own, or one that every resource has.
    pub(super) fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        named(self.core.attributes, name).or_else(|| named(COMMON, name))
    }

    /// Where one of them is, on this control plane.
    pub(super) fn location(&self, public_url: &str, id: &str) -> String {
        format!("{}{ROOT}{}/{id}", public_url.trim_end_matches('/'), self.endpoint)
    }

    /// Its entry in `/ResourceTypes`.
    pub(super) fn described(&self, public_url: &str) -> Value {
        let extensions: Vec<Value> = self
            .extension
            .iter()
            .map(|extension| json!({ "schema": extension.id, "required": false }))
            .collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": self.name, "name": self.name, "endpoint": self.endpoint,
            "description": self.core.description, "schema": self.core.id, "schemaExtensions": extensions,
            "meta": { "resourceType": "ResourceType",
                      "location": format!("{}{ROOT}/ResourceTypes/{}", public_url.trim_end_matches('/'), self.name) },
        })
    }
}

impl Schema {
    /// Its entry in `/Schemas`.
    pub(super) fn described(&self, public_url: &str) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.id, "name": self.name, "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::described).collect::<Vec<_>>(),
            "meta": { "resourceType": "Schema",
                      "location": format!("{}{ROOT}/Schemas/{}", public_url.trim_end_matches('/'), self.id) },
        })
    }
}
