//! The fixed part of the generated shop: what each category sells, who sells it, and who buys.

use super::catalogue::{catalogue, categories};
use super::departments::departments;
use super::draw::{Dice, Weights};
use super::sellers::{Seller, sellers};
use super::settings::Settings;
use std::ops::Range;

/// One category: its share of the sales, its products and its sellers.
pub(crate) struct Shelf {
    /// Name.
    pub(crate) name: &'static str,
    /// Mean share of all sale lines.
    pub(crate) share: f64,
    /// Mean units of a sale line.
    pub(crate) units: f64,
    /// Its products, as indices into the catalogue.
    pub(crate) products: Range<usize>,
    /// How the sales spread over the products.
    pub(crate) product_weights: Weights,
    /// Its sellers, ascending.
    pub(crate) sellers: Vec<u32>,
    /// How the sales spread over the sellers, as shares of all sale lines.
    pub(crate) seller_weights: Weights,
}

impl Shelf {
    /// Share of all sale lines that one seller makes in this category.
    pub(crate) fn share_of(&self, seller: u32) -> f64 {
        self.sellers.binary_search(&seller).map_or(0.0, |index| self.seller_weights.weight(index))
    }
}

/// The shop.
pub(crate) struct World {
    /// The categories that are sold.
    pub(crate) shelves: Vec<Shelf>,
    /// The sellers in order of size.
    pub(crate) sellers: Vec<Seller>,
    /// The sellers' shares of all sale lines.
    pub(crate) seller_shares: Vec<f64>,
}

impl World {
    /// The shop of these settings.
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut dice = Dice::new(settings.seed, 1);
        let tables = departments();
        let sellers = sellers(settings.sellers, &mut dice);
        let sizes = (1..=sellers.len()).map(|rank| libm::pow(rank as f64, -settings.seller_zipf));
        let sizes: Vec<f64> = sizes.collect();
        let all: f64 = sizes.iter().sum();
        let seller_shares: Vec<f64> = sizes.iter().map(|size| size / all).collect();

        let mut kept: Vec<usize> = (0..tables.categories.len()).collect();
        kept.sort_by(|&a, &b| tables.popularity(b).total_cmp(&tables.popularity(a)).then(a.cmp(&b)));
        kept.truncate(settings.categories);
        kept.sort_unstable();
        let popularity: Vec<f64> = kept.iter().map(|&category| tables.popularity(category)).collect();
        let department = |shelf: usize| tables.categories[kept[shelf]].department;

        // A seller's share spreads over its categories by their popularity; one that sells none of those kept sells all.
        let mut cells: Vec<Vec<(u32, f64)>> = vec![vec![]; kept.len()];
        for (seller, share) in seller_shares.iter().enumerate() {
            let mut own: Vec<usize> = (0..kept.len()).filter(|&shelf| sellers[seller].sells(department(shelf))).collect();
            if own.is_empty() {
                own = (0..kept.len()).collect();
            }
            let total: f64 = own.iter().map(|&shelf| popularity[shelf]).sum();
            for shelf in own {
                cells[shelf].push((seller as u32, share * popularity[shelf] / total));
            }
        }
        let ranges = categories();
        let shelves = kept.iter().zip(cells).map(|(&category, cells)| {
            let (name, products) = ranges[category].clone();
            let product_weights = Weights::new((0..products.len()).map(|rank| libm::pow(rank as f64 + 2.0, -0.8)));
            let seller_weights = Weights::new(cells.iter().map(|cell| cell.1));
            Shelf {
                name,
                share: seller_weights.total(),
                units: tables.departments[tables.categories[category].department].units,
                products,
                product_weights,
                sellers: cells.iter().map(|cell| cell.0).collect(),
                seller_weights,
            }
        });
        World { shelves: shelves.collect(), sellers, seller_shares }
    }

    /// The shelf that holds a product.
    pub(crate) fn shelf_of(&self, product: usize) -> usize {
        self.shelves.iter().position(|shelf| shelf.products.contains(&product)).unwrap_or(0)
    }
}

/// What kind of buyer a customer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment {
    /// One customer in twenty, a good fifth of the sales.
    Vip,
    /// One customer in five, a third of the sales.
    Frequent,
    /// The others.
    Regular,
    /// Never seen before.
    New,
    /// Without an id.
    Guest,
}

/// A buyer: the number of `id_customer`, and the segment.
pub(crate) type Buyer = (u64, Segment);

/// The customers: those who come back, and how many new ones have come.
pub(crate) struct Crowd {
    known: u64,
    stride: u64,
    guests: f64,
    fresh: u64,
}

impl Crowd {
    /// The customers of these settings.
    pub(crate) fn new(settings: &Settings) -> Self {
        let known = u64::from(settings.customers);
        // Numbers are given out by steps that visit each once, so that a number does not tell the segment.
        let mut stride = known * 618 / 1_000 + 1;
        while gcd(stride, known) != 1 {
            stride += 1;
        }
        Crowd { known, stride, guests: settings.guests, fresh: 0 }
    }

    /// Who buys next.
    pub(crate) fn draw(&mut self, dice: &mut Dice) -> Buyer {
        if dice.chance(self.guests) {
            return (0, Segment::Guest);
        }
        if dice.chance(0.08) {
            self.fresh += 1;
            return (self.known + self.fresh, Segment::New);
        }
        self.known(dice)
    }

    /// A customer who has bought before.
    pub(crate) fn known(&self, dice: &mut Dice) -> Buyer {
        let (vip, frequent) = (self.known / 20, self.known / 4);
        let among = match dice.unit() {
            ..0.24 => 0..vip,
            0.24..0.60 => vip..frequent,
            _ => frequent..self.known,
        };
        let among = if among.is_empty() { 0..self.known } else { among };
        let index = among.start + dice.below(among.end - among.start);
        let segment = match index {
            index if index < vip => Segment::Vip,
            index if index < frequent => Segment::Frequent,
            _ => Segment::Regular,
        };
        (index * self.stride % self.known, segment)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// List price of a product in cents.
pub(crate) fn list_price(product: usize) -> i64 {
    catalogue()[product].list_price
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_follow_zipf() {
        for (sellers, categories) in [(16, 248), (1, 1), (3, 15), (300, 15), (2_000, 248)] {
            let world = World::new(&Settings { sellers, categories, ..Settings::default() });
            let total: f64 = world.shelves.iter().map(|shelf| shelf.share).sum();
            assert!((total - 1.0).abs() < 1e-9);
            assert_eq!((world.shelves.len(), world.sellers.len()), (categories, sellers));
            let first: f64 = world.shelves.iter().map(|shelf| shelf.share_of(0)).sum();
            assert!((first - world.seller_shares[0]).abs() < 1e-9);
            if sellers > 1 {
                let ratio = world.seller_shares[0] / world.seller_shares[1];
                assert!((ratio - libm::pow(2.0, 1.05)).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_customer_keeps_the_segment() {
        for customers in [1, 2, 7, 20, 1_000] {
            let mut crowd = Crowd::new(&Settings { customers, ..Settings::default() });
            let mut dice = Dice::new(1, 0);
            let mut seen = vec![None; customers as usize];
            for _ in 0..5_000 {
                let (number, segment) = crowd.draw(&mut dice);
                if matches!(segment, Segment::Vip | Segment::Frequent | Segment::Regular) {
                    assert_eq!(*seen[number as usize].get_or_insert(segment), segment);
                }
            }
        }
    }
}
