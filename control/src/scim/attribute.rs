//! What an attribute is (RFC 7643, section 2).

use serde_json::{Value, json};

/// What values an attribute has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// True or false.
    Boolean,
    /// A moment, RFC 3339.
    DateTime,
    /// A URI.
    Reference(&'static [&'static str]),
    /// Several attributes.
    Complex(&'static [Attribute]),
}

/// Who may change an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutability {
    /// The directory.
    ReadWrite,
    /// We do.
    ReadOnly,
    /// The directory, and nobody reads it.
    WriteOnly,
}

/// When an attribute is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returned {
    /// Whatever is asked for.
    Always,
    /// Unless something else is asked for.
    Default,
    /// To nobody.
    Never,
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    /// Its name, in its one spelling; the directory may write it in any case.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Its values.
    pub kind: Kind,
    /// Whether it may have several.
    pub is_multi: bool,
    /// Whether no resource is without it, and no two share a value.
    pub is_key: bool,
    /// Whether upper and lower case differ.
    pub is_exact: bool,
    /// When it is shown.
    pub returned: Returned,
    /// Who may change it.
    pub mutability: Mutability,
}

impl Attribute {
    const fn new(name: &'static str, description: &'static str, kind: Kind) -> Self {
        Self {
            name,
            description,
            kind,
            is_multi: false,
            is_key: false,
            is_exact: false,
            returned: Returned::Default,
            mutability: Mutability::ReadWrite,
        }
    }

    /// Text whose case does not matter.
    pub(super) const fn text(name: &'static str, description: &'static str) -> Self {
        Self::new(name, description, Kind::Text)
    }

    /// True or false.
    pub(super) const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::new(name, description, Kind::Boolean)
    }

    /// A moment.
    pub(super) const fn moment(name: &'static str, description: &'static str) -> Self {
        Self::new(name, description, Kind::DateTime)
    }

    /// A URI of something of these types.
    pub(super) const fn reference(
        name: &'static str,
        description: &'static str,
        types: &'static [&'static str],
    ) -> Self {
        Self::new(name, description, Kind::Reference(types)).exact()
    }

    /// Several attributes together.
    pub(super) const fn complex(
        name: &'static str,
        description: &'static str,
        parts: &'static [Self],
    ) -> Self {
        Self::new(name, description, Kind::Complex(parts))
    }

    /// May have several values.
    pub(super) const fn multi(self) -> Self {
        Self { is_multi: true, ..self }
    }

    /// No resource is without it, and no two share a value.
    pub(super) const fn key(self) -> Self {
        Self { is_key: true, ..self }
    }

    /// Upper and lower case differ.
    pub(super) const fn exact(self) -> Self {
        Self { is_exact: true, ..self }
    }

    /// Shown whatever is asked for.
    pub(super) const fn always(self) -> Self {
        Self { returned: Returned::Always, ..self }
    }

    /// Ours to change.
    pub(super) const fn read_only(self) -> Self {
        Self { mutability: Mutability::ReadOnly, ..self }
    }

    /// Taken and shown to nobody.
    pub(super) const fn write_only(self) -> Self {
        Self { mutability: Mutability::WriteOnly, returned: Returned::Never, ..self }
    }

    /// What it is made of; nothing for plain values.
    pub(super) const fn parts(&self) -> &'static [Self] {
        match self.kind {
            Kind::Complex(parts) => parts,
            Kind::Text | Kind::Boolean | Kind::DateTime | Kind::Reference(_) => &[],
        }
    }

    /// The part that stands for the whole where none is named.
    pub(super) fn value_part(&self) -> Option<&'static Self> {
        named(self.parts(), "value")
    }

    /// Its entry in `/Schemas`.
    pub(super) fn described(&self) -> Value {
        let word = match self.kind {
            Kind::Text => "string",
            Kind::Boolean => "boolean",
            Kind::DateTime => "dateTime",
            Kind::Reference(_) => "reference",
            Kind::Complex(_) => "complex",
        };
        let mut entry = json!({
            "name": self.name, "type": word, "multiValued": self.is_multi, "description": self.description,
            "required": self.is_key, "caseExact": self.is_exact, "returned": self.returned(),
            "mutability": self.mutability(), "uniqueness": if self.is_key { "server" } else { "none" },
        });
        if let Kind::Reference(types) = self.kind {
            entry["referenceTypes"] = json!(types);
        }
        if let Kind::Complex(parts) = self.kind {
            entry["subAttributes"] = parts.iter().map(Self::described).collect();
        }
        entry
    }

    const fn returned(&self) -> &'static str {
        match self.returned {
            Returned::Always => "always",
            Returned::Default => "default",
            Returned::Never => "never",
        }
    }

    const fn mutability(&self) -> &'static str {
        match self.mutability {
            Mutability::ReadWrite => "readWrite",
            Mutability::ReadOnly => "readOnly",
            Mutability::WriteOnly => "writeOnly",
        }
    }
}

/// The attribute of this name, whatever its case.
pub(super) fn named(among: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    among.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}
