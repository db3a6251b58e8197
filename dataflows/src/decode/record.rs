//! A record split into values, before any rule has looked at it.
//!
//! Values are byte ranges, not references: the slots live as long as the decoder, and no record allocates. A range lies either
//! in the record itself or in the scratch text, which begins with the constants of the settings and then takes what has to
//! be written down for one record: unescaped strings and filled templates.

/// What kind of value stands in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not given, or null: the two say the same.
    #[default]
    Absent,
    /// A JSON string.
    Text,
    /// A JSON number, as written.
    Number,
    /// `true` or `false`.
    Bool,
    /// A JSON array or object.
    Nested,
    /// A JSON string with an escape that is no character (half a surrogate pair).
    Broken,
    /// Text without a type: a CSV cell, a constant, a template, or a scalar of a field that the settings map.
    Cell,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    pub kind: Kind,
    pub scratch: bool,
    pub start: u32,
    pub end: u32,
}

impl Slot {
    /// A value that stands in the record.
    #[inline]
    pub fn line(kind: Kind, start: usize, end: usize) -> Slot {
        Slot { kind, scratch: false, start: start as u32, end: end as u32 }
    }

    /// Writes a value into the scratch text.
    pub fn write(kind: Kind, text: &str, scratch: &mut String) -> Slot {
        let start = scratch.len();
        scratch.push_str(text);
        Slot { kind, scratch: true, start: start as u32, end: scratch.len() as u32 }
    }

    /// Its text: a string without quotes and escapes, a number as written.
    #[inline]
    pub fn text<'r>(&self, line: &'r str, scratch: &'r str) -> &'r str {
        let all = if self.scratch { scratch } else { line };
        &all[self.start as usize..self.end as usize]
    }
}

/// The contract's fields that have rules. The numbers are their places in [`FIELDS`](crate::schema::FIELDS), and the slots
/// that hold their values; the other fields are carried without a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Op,
    Id,
    Product,
    ProductName,
    Category,
    Brand,
    Seller,
    Customer,
    Price,
    Quantity,
    Payment,
    Date,
    Total,
}

/// How many fields have rules.
pub(crate) const RULED: usize = Field::Total as usize + 1;

/// The values of one record.
#[derive(Clone, Copy)]
pub(crate) struct Record<'r> {
    pub line: &'r str,
    pub scratch: &'r str,
    pub slots: &'r [Slot],
}

impl<'r> Record<'r> {
    /// Kind and text of a field.
    #[inline]
    pub fn get(&self, field: Field) -> (Kind, &'r str) {
        let slot = &self.slots[field as usize];
        match slot.kind {
            Kind::Absent => (Kind::Absent, ""),
            kind => match slot.text(self.line, self.scratch) {
                // An empty cell is how a table says that there is no value.
                "" if kind == Kind::Cell => (Kind::Absent, ""),
                text => (kind, text),
            },
        }
    }
}
