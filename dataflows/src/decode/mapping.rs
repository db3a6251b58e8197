//! Which slot a name fills, resolved once from the [`Schema`].
//!
//! Slots `0..RULED` are the contract's fields. A name that serves one field only, as its first choice, fills that field's slot
//! directly, so that the contract's own names cost nothing; any other name (an alias, a second choice, one that serves several
//! fields or a template) has a slot of its own behind them, and a [`Fill`] moves it where it belongs.

use super::record::{Kind, RULED, Slot};
use crate::schema::{FIELDS, From, Schema};
use std::collections::BTreeMap;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// As it stands.
    Literal(String),
    /// The value of a field of the record.
    Field(String),
    /// The offset of the record in its input.
    Record,
}

/// Splits a template into its pieces.
pub(crate) fn parts(template: &str) -> Result<Vec<Part>, String> {
    let mut parts = vec![];
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let name = rest[at..].strip_prefix('{').and_then(|after| after.split_once('}'));
        let Some((name, after)) = name.filter(|(name, _)| !name.is_empty() && !name.contains('{')) else {
            return Err(format!("the template `{template}` needs a name in closed braces, as in `{{Invoice}}:{{_record}}`"));
        };
        if at > 0 {
            parts.push(Part::Literal(rest[..at].into()));
        }
        parts.push(if name == "_record" { Part::Record } else { Part::Field(name.into()) });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.into()));
    }
    Ok(parts)
}

/// A piece of a template, its name resolved to a slot.
enum Piece {
    Literal(String),
    Slot(usize),
    Record,
}

/// What is done after a record has been split, to give each field its value.
enum Fill {
    /// The first of these slots that has a value, unless the field's own has one.
    Choice { to: usize, from: Vec<usize> },
    /// Always this.
    Constant { to: usize, slot: Slot },
    /// A template; nothing when one of its fields has no value.
    Template { to: usize, pieces: Vec<Piece> },
}

/// The names a field is read under, in the order of choice.
pub(crate) fn choices(schema: &Schema, field: &'static str) -> Vec<String> {
    match schema.fields.get(field) {
        Some(From::Fields(names)) => names.clone(),
        Some(From::Constant(_)) => vec![],
        Some(From::Template(template)) => {
            let fields = parts(template).unwrap_or_default().into_iter();
            fields.filter_map(|part| if let Part::Field(name) = part { Some(name) } else { None }).collect()
        }
        None => match field {
            "id_product" => vec![field.into(), "asin".into()],
            "sale_date" => vec![field.into(), "date".into()],
            _ => vec![field.into()],
        },
    }
}

/// Names to slots, and what is done after.
pub(crate) struct Mapping {
    names: Vec<Box<[u8]>>,
    slots: Vec<u16>,
    /// Index into `names` by [`bucket`], first of a run that ends with `u16::MAX`.
    buckets: Vec<[u16; 4]>,
    /// Names that found their bucket full.
    crowded: Vec<u16>,
    fills: Vec<Fill>,
    /// Fields that the settings map: their scalars are cells.
    foreign: Vec<usize>,
    /// Number of slots.
    pub width: usize,
    /// The constants, one after the other.
    pub constants: String,
}

const NONE: u16 = u16::MAX;
const BUCKETS: usize = 64;

/// Spreads the contract's names without a collision worth naming: the length and the first byte tell nearly all apart.
#[inline]
fn bucket(name: &[u8]) -> usize {
    (usize::from(name.first().copied().unwrap_or(0)) + name.len() * 5) % BUCKETS
}

impl Mapping {
    pub fn new(schema: &Schema) -> Mapping {
        // What is only carried has slots where somebody wants it.
        let fields = if schema.keep_carried { FIELDS.len() } else { RULED };
        let mut uses: BTreeMap<String, usize> = BTreeMap::new();
        for field in &FIELDS[..fields] {
            choices(schema, field).into_iter().for_each(|name| *uses.entry(name).or_default() += 1);
        }
        let mut mapping = Mapping {
            names: vec![],
            slots: vec![],
            buckets: vec![[NONE; 4]; BUCKETS],
            crowded: vec![],
            fills: vec![],
            foreign: vec![],
            width: fields,
            constants: String::new(),
        };
        for (to, field) in FIELDS[..fields].iter().enumerate() {
            match schema.fields.get(field) {
                Some(From::Constant(text)) => {
                    let slot = Slot::write(Kind::Cell, text, &mut mapping.constants);
                    mapping.fills.push(Fill::Constant { to, slot });
                    continue;
                }
                Some(From::Template(template)) => {
                    let pieces = parts(template).unwrap_or_default().into_iter().map(|part| match part {
                        Part::Literal(text) => Piece::Literal(text),
                        Part::Field(name) => Piece::Slot(mapping.own(name)),
                        Part::Record => Piece::Record,
                    });
                    let pieces = pieces.collect();
                    mapping.fills.push(Fill::Template { to, pieces });
                    continue;
                }
                Some(From::Fields(_)) => mapping.foreign.push(to),
                None => {}
            }
            let mut from = vec![];
            for (i, name) in choices(schema, field).into_iter().enumerate() {
                if i == 0 && uses[&name] == 1 {
                    mapping.name(name, to);
                } else {
                    from.push(mapping.own(name));
                }
            }
            if !from.is_empty() {
                mapping.fills.push(Fill::Choice { to, from });
            }
        }
        mapping
    }

    /// The slot behind the fields that holds `name`.
    fn own(&mut self, name: String) -> usize {
        if let Some(slot) = self.slot(name.as_bytes()) {
            return slot;
        }
        self.width += 1;
        self.name(name, self.width - 1);
        self.width - 1
    }

    fn name(&mut self, name: String, slot: usize) {
        let index = self.names.len() as u16;
        match self.buckets[bucket(name.as_bytes())].iter_mut().find(|at| **at == NONE) {
            Some(at) => *at = index,
            None => self.crowded.push(index),
        }
        self.names.push(name.into_bytes().into());
        self.slots.push(slot as u16);
    }

    /// The slot that a value of this name fills; `None` when nobody asks for it.
    #[inline]
    pub fn slot(&self, name: &[u8]) -> Option<usize> {
        for &index in &self.buckets[bucket(name)] {
            if index == NONE {
                return None;
            }
            if *self.names[index as usize] == *name {
                return Some(self.slots[index as usize] as usize);
            }
        }
        let index = self.crowded.iter().find(|&&index| *self.names[index as usize] == *name)?;
        Some(self.slots[*index as usize] as usize)
    }

    /// Gives each field its value: second choices, constants, templates. `record` is the offset of the record in its input.
    #[inline]
    pub fn fill(&self, line: &str, record: u64, slots: &mut [Slot], scratch: &mut String) {
        for fill in &self.fills {
            match fill {
                Fill::Choice { to, from } => {
                    if slots[*to].kind == Kind::Absent
                        && let Some(&found) = from.iter().find(|&&slot| slots[slot].kind != Kind::Absent)
                    {
                        slots[*to] = slots[found];
                    }
                }
                Fill::Constant { to, slot } => slots[*to] = *slot,
                Fill::Template { to, pieces } => slots[*to] = write(pieces, line, record, slots, scratch),
            }
        }
        for &field in &self.foreign {
            if matches!(slots[field].kind, Kind::Text | Kind::Number) {
                slots[field].kind = Kind::Cell;
            }
        }
    }
}

fn write(pieces: &[Piece], line: &str, record: u64, slots: &[Slot], scratch: &mut String) -> Slot {
    let start = scratch.len() as u32;
    for piece in pieces {
        match piece {
            Piece::Literal(text) => scratch.push_str(text),
            Piece::Record => scratch.push_str(itoa::Buffer::new().format(record)),
            Piece::Slot(slot) => {
                let slot = slots[*slot];
                match slot.kind {
                    Kind::Text | Kind::Number | Kind::Cell if slot.start < slot.end => {}
                    // Half a name is no name.
                    Kind::Text | Kind::Number | Kind::Cell | Kind::Absent => return Slot::default(),
                    kind => return Slot { kind, ..slot },
                }
                if slot.scratch {
                    scratch.extend_from_within(slot.start as usize..slot.end as usize);
                } else {
                    scratch.push_str(slot.text(line, ""));
                }
            }
        }
    }
    Slot { kind: Kind::Cell, scratch: true, start, end: scratch.len() as u32 }
}
