//! What the topics are called that are read, and which partition an input is.

use crate::settings::kafka::Kafka;
use dataflows::clock::live::STOCK;

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Names {
    /// The topic of the sales.
    pub sales: String,
    /// The topic that says what is in stock.
    pub stock: Option<String>,
}

impl Names {
    /// Under these settings.
    pub fn new(kafka: &Kafka) -> Names {
        Names { sales: kafka.topic.clone(), stock: kafka.stock.clone() }
    }

    /// All topics, each with the number of its first partition as an input.
    pub fn all(&self) -> impl Iterator<Item = (&str, u32)> {
        [(self.sales.as_str(), 0)].into_iter().chain(self.stock.as_deref().map(|stock| (stock, STOCK)))
    }

    /// The topic of an input, and its partition there.
    pub fn of(&self, input: u32) -> (&str, u32) {
        match (&self.stock, input.checked_sub(STOCK)) {
            (Some(stock), Some(partition)) => (stock, partition),
            _ => (&self.sales, input),
        }
    }
}
