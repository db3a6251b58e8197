//! What leaves the dataflow: the rows of one learned tick, in the order of the contract, on worker 0 of process 0.

pub mod certificate;

use crate::row::WindowRow;

/// The tables, in the order in which the certificate takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// `windows`
    Windows,
    /// `seller_features`
    SellerFeatures,
    /// `category_features`
    CategoryFeatures,
    /// `events`
    Events,
    /// `suppressed`
    Suppressed,
    /// `dead_letters`
    DeadLetters,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 6] =
        [Table::Windows, Table::SellerFeatures, Table::CategoryFeatures, Table::Events, Table::Suppressed, Table::DeadLetters];

    /// As files and topics are named.
    pub fn name(self) -> &'static str {
        match self {
            Table::Windows => "windows",
            Table::SellerFeatures => "seller_features",
            Table::CategoryFeatures => "category_features",
            Table::Events => "events",
            Table::Suppressed => "suppressed",
            Table::DeadLetters => "dead_letters",
        }
    }
}

/// All rows of one learned tick.
#[derive(Debug, Default)]
pub struct TickRows {
    /// The learned tick.
    pub learned: u32,
    /// By [`Table`] as index: the rows as JSON lines, each with its line end, in the order of the contract.
    pub lines: [Vec<u8>; 6],
    /// By [`Table`] as index: number of rows.
    pub rows: [u64; 6],
    /// The rows of `windows` once more, as values (few: one a window and tick), for the console.
    pub windows: Vec<WindowRow>,
}

/// Takes the rows of each learned tick, in order of ticks. An error stops the run; nothing more is handed over after it.
pub trait RowSink {
    /// Takes the rows of one tick.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn tick(&mut self, rows: &TickRows) -> Result<(), String>;
}
